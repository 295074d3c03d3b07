// Fills docs/api.md. The prose is written by hand; after each marker `<!-- example: name -->` come the blocks of that
// example. Reads and writes no files.

import { type Played, split } from "./play.ts";
import { stable } from "./stable-values.ts";
import type { Variables } from "./steps.ts";

const MARKER = /^<!-- example: ([\w-]+) -->$/;
const BLOCK = /^```/;

/** Headers that are specific to a call. The others are the same in every answer, so the page leaves them out. */
const SHOWN_HEADERS =
  /^(?:content-type|location|cache-control|age|retry-after|idempotency-replayed|allow|www-authenticate|x-should-retry|webhook-.*):/i;

/** The Markdown of each example, by name. */
export function blocksOf(played: readonly Played[], variables: Variables): Map<string, string> {
  const toStable = stable(variables, played.map(({ answer }) => answer).join("\n"));
  return new Map(
    played.map(({ name, command, answer }) => {
      const request = command === null ? "" : `\`\`\`sh\n${command}\n\`\`\`\n\n`;
      const isDemanded = command?.includes("no-cache") ?? false;
      return [name, `${request}\`\`\`http\n${shown(answer, { toStable, isDemanded })}\n\`\`\``];
    }),
  );
}

interface Shown {
  readonly toStable: ReturnType<typeof stable>;
  /** Whether the request demanded a read of LiteLLM. */
  readonly isDemanded: boolean;
}

function shown(answer: string, { toStable, isDemanded }: Shown): string {
  const [head, body] = split(answer);
  const [first = "", ...headers] = head.split("\n");
  const kept = headers.filter((header) => SHOWN_HEADERS.test(header));
  // Unless the request demands a read, the elapsed time decides whether a check reads LiteLLM or the cache.
  const text = toStable.body(isDemanded ? body : body.replace('"source":"litellm"', '"source":"cache"'));
  return [toStable.text([first.trim(), ...kept].join("\n")), ...(text === "" ? [] : ["", text])].join("\n");
}

/**
 * Returns the page with the blocks of every marker replaced.
 * @throws Error for a marker without an example, and for an example without a marker.
 */
export function fillPage(page: string, blocks: ReadonlyMap<string, string>): string {
  const lines = page.split("\n");
  const filled: string[] = [];
  const used = new Set<string>();
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    filled.push(line);
    const name = MARKER.exec(line)?.[1];
    if (name === undefined) continue;
    const block = blocks.get(name);
    if (block === undefined) throw new Error(`docs/api.md has a marker for an example that does not exist: ${name}`);
    used.add(name);
    filled.push("", block);
    at = endOfBlocks(lines, at);
  }
  const unused = [...blocks.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`docs/api.md has no marker for: ${unused.join(", ")}`);
  return filled.join("\n");
}

/** The last line of the fenced blocks after the marker at line `marker`. Only empty lines may separate them. */
function endOfBlocks(lines: readonly string[], marker: number): number {
  let end = marker;
  for (let at = marker + 1; at < lines.length; at++) {
    if (lines[at] === "") continue;
    if (!BLOCK.test(lines[at] ?? "")) break;
    do at++;
    while (at < lines.length && !BLOCK.test(lines[at] ?? ""));
    end = at;
  }
  return end;
}
