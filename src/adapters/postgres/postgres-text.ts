// Text from outside that Postgres accepts: NUL and lone surrogates, which it refuses, become replacement characters.

export function postgresText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}
