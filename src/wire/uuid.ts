// The form of an id that Postgres gave. Asked before it is looked up: to Postgres any other text is an error, to us nobody's id.

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
