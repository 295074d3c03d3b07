// String literals of Cap'n Proto configuration files. Pure.

/** JSON's escapes are valid in Cap'n Proto for every character that an environment variable can hold. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
