// Reads the addresses of an e-mail in every form a sender may use: one or several, text or object.

import { objectOf, textOf } from "../untrusted-json.ts";

export const MAX_RECIPIENTS = 50;

const BARE = /^[^\s<>@,]+@[^\s<>@,]+$/;
const NAMED = /^[^<>]*<[^\s<>@,]+@[^\s<>@,]+>$/;

export function isAddress(text: string): boolean {
  return BARE.test(text) || NAMED.test(text);
}

/** `Name <address>` or `address`; "" when the value has no address. */
export function addressText(value: unknown): string {
  if (typeof value === "string") return value;
  const { email, address, name } = objectOf(value);
  const bare = textOf(email) || textOf(address);
  return textOf(name) === "" || bare === "" ? bare : `${textOf(name)} <${bare}>`;
}

export function addressTexts(value: unknown): string[] {
  const all = Array.isArray(value) ? value : [value];
  return all.map(addressText).filter((text) => text !== "");
}
