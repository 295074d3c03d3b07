// A text from outside as Postgres can keep it: whole, but for NUL and halves of surrogate pairs, which it refuses.

export function keptText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}
