// Texts as Cap'n Proto's configuration files have them. Pure.

/** JSON's escapes are Cap'n Proto's too, for everything an environment holds. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
