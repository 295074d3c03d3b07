// Cleans text from outside: names, reasons, ids. Every such text passes through here before it reaches a notice.
// Never escapes: each renderer escapes for its own format.

/** Line breaks and control characters. In an e-mail subject they could inject a header. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

/**
 * Invisible format characters, such as marks of writing direction. Keeps the two joiners, which emoji and scripts need.
 */
const INVISIBLE = /(?![\u200c\u200d])\p{Cf}/gu;

/** One line of well-formed text in its visible order; null when nothing is left. */
export function oneLine(text: string): string | null {
  const line = text.toWellFormed().replace(BREAKS, " ").replace(INVISIBLE, "").trim();
  return line === "" ? null : line;
}

/** Cuts `text` so that its encoding has at most `max` UTF-16 units; a cut text ends in `…`. */
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

/** The tenant of a notice; name and id are already single lines. */
export interface TenantName {
  readonly name: string | null;
  readonly id: string;
}

/** `Acme Corp (acme)`, or the id alone. A long name cannot push out the id, nor a long id the name. */
export function tenantLabel({ name, id }: TenantName, max: number, encode?: (text: string) => string): string {
  if (name === null || name === id) return cut(id, max, encode);
  const brackets = " ()".length;
  const shortId = cut(id, Math.floor((max - brackets) / 2), encode);
  return `${cut(name, max - brackets - shortId.length, encode)} (${shortId})`;
}
