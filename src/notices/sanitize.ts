// Text that others wrote: names, reasons, ids. Nothing of it reaches a notice without passing here first.
// Never escapes: how that is done depends on where the text goes.

/** All that breaks a line. In a subject it would begin another header. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

/** What no reader sees: marks that turn the direction of writing, and the like. The two joiners make emoji and scripts. */
const INVISIBLE = /(?![\u200c\u200d])\p{Cf}/gu;

/** One line of well-formed text that reads in the order in which it stands; null when nothing is left. */
export function oneLine(text: string): string | null {
  const line = text.toWellFormed().replace(BREAKS, " ").replace(INVISIBLE, "").trim();
  return line === "" ? null : line;
}

/** As much of `text` as `encode` makes at most `max` UTF-16 units of; ends in `…` when some is left out. */
export function cut(text: string, max: number, encode: (text: string) => string = (same) => same): string {
  const whole = encode(text);
  if (whole.length <= max) return whole;
  const characters = [...text].slice(0, max);
  for (;;) {
    characters.pop();
    const shorter = encode(`${characters.join("").trimEnd()}…`);
    if (shorter.length <= max || characters.length === 0) return shorter;
  }
}

/** Whom a notice is about; both are one line already. */
export interface Who {
  readonly name: string | null;
  readonly id: string;
}

/** `Acme Corp (acme)`, or the id alone. Neither of the two can push the other out. */
export function tenantLabel({ name, id }: Who, max: number, encode?: (text: string) => string): string {
  if (name === null || name === id) return cut(id, max, encode);
  const brackets = " ()".length;
  const shortId = cut(id, Math.floor((max - brackets) / 2), encode);
  return `${cut(name, max - brackets - shortId.length, encode)} (${shortId})`;
}
