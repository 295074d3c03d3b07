// JSON as Postgres' jsonb takes it. Whatever comes from outside may hold what jsonb refuses, and one such message must not
// hold up the hundred others of its batch.

/** An escaped backslash is one of them, so that it is never taken for the beginning of the next. */
const ANY_ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g;
const REFUSED = /^\\u(?:0000|d[89a-f])/;

/** jsonb takes neither NUL nor half a surrogate pair, which JSON writes as escapes: the text is kept without them. */
export function jsonbText(value: unknown): string {
  return JSON.stringify(value ?? null).replace(ANY_ESCAPE, (found) => (REFUSED.test(found) ? "\\ufffd" : found));
}
