// What an id must look like before Postgres is asked for it: to it, any other text is an error, and to us, nobody's id.

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
