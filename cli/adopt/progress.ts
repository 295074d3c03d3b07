// Shows progress: a bar on a terminal, one line per tenant in a file.

import { Presets, SingleBar } from "cli-progress";
import type { Outcome } from "./apply.ts";
import { type PlanRow, shortSubject } from "./plan.ts";
import { printable } from "./show-plan.ts";

export interface Progress {
  report(row: PlanRow, outcome: Outcome): void;
  end(): void;
}

export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean };

export function startProgress(total: number, stream: Terminal): Progress {
  return stream.isTTY === true ? bar(total, stream) : lines(total, stream);
}

function bar(total: number, stream: Terminal): Progress {
  const format = "{bar} {value}/{total} · {failed} failed · {eta_formatted} to go";
  const shown = new SingleBar({ stream, format, hideCursor: true, barsize: 30 }, Presets.shades_classic);
  let failed = 0;
  shown.start(total, 0, { failed });
  return {
    report(_, { kind }) {
      if (kind === "failed") failed++;
      if (kind !== "not_begun") shown.increment({ failed });
    },
    end: () => shown.stop(),
  };
}

function lines(total: number, stream: Terminal): Progress {
  let done = 0;
  return {
    report({ tenantId, candidate }, outcome) {
      if (outcome.kind === "not_begun") return;
      done++;
      stream.write(`${done}/${total} ${tenantId} (${printable(shortSubject(candidate))}): ${outcome.kind}\n`);
    },
    end: () => {},
  };
}
