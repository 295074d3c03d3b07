// JSON text that Postgres accepts as jsonb. Input from outside may hold characters that jsonb refuses. One such message
// must not fail the hundred others of its batch.

/** Matches an escaped backslash too, so that its second half never starts another escape. */
const ANY_ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g;
const REFUSED = /^\\u(?:0000|d[89a-f])/;

/** jsonb refuses NUL and lone surrogates, which JSON writes as escapes. Each becomes the replacement character. */
export function jsonbText(value: unknown): string {
  return JSON.stringify(value ?? null).replace(ANY_ESCAPE, (found) => (REFUSED.test(found) ? "\\ufffd" : found));
}
