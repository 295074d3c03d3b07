// UUID check. Run before a lookup, so that a malformed id is a 404 rather than a Postgres error.

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
