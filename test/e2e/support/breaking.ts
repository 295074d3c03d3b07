// Breaks a part of the stack on purpose and mends it. The names of the breaks are those that test titles use.

import type { Fault, Part } from "../../../dev/part.ts";

type Break = Fault | "stopped";

const BREAKS = {
  "is stopped": "stopped",
  hangs: { kind: "hang" },
  "cuts connections": { kind: "reset" },
  "answers 500": { kind: "error", status: 500 },
  "answers nonsense": { kind: "nonsense" },
} as const satisfies Record<string, Break>;

/** Rows for `describe.each`: the name of a break, and the break. */
export function breaks(...names: (keyof typeof BREAKS)[]): [string, Break][] {
  return names.map((each) => [each, BREAKS[each]]);
}

export async function breakPart(part: Part, how: Break): Promise<void> {
  if (how === "stopped") await part.stop();
  else part.setFault(how);
}

export async function mendPart(part: Part, how: Break): Promise<void> {
  if (how === "stopped") await part.restart();
  else part.setFault(null);
}
