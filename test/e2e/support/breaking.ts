// Breaking a part of the stack on purpose and mending it: the ways there are, by the words that titles say.

import type { Fault, Part } from "../../../dev/part.ts";

type Break = Fault | "stopped";

const BREAKS = {
  "is stopped": "stopped",
  hangs: { kind: "hang" },
  "cuts connections": { kind: "reset" },
  "answers 500": { kind: "error", status: 500 },
  "answers nonsense": { kind: "nonsense" },
} as const satisfies Record<string, Break>;

/** Rows for `describe.each`: the words, and what they do to a part. */
export function breaks(...words: (keyof typeof BREAKS)[]): [string, Break][] {
  return words.map((each) => [each, BREAKS[each]]);
}

export async function breakPart(part: Part, how: Break): Promise<void> {
  if (how === "stopped") await part.stop();
  else part.setFault(how);
}

export async function mendPart(part: Part, how: Break): Promise<void> {
  if (how === "stopped") await part.restart();
  else part.setFault(null);
}
