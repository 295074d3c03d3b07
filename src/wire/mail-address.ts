// Mail addresses as providers take them. Decides only.

import * as z from "zod";

/** The longest address that mail can be delivered to. */
const MAX_LENGTH = 254;

/** Of zod's own pattern, except that the last label may be in Punycode (`xn--p1ai` is рф). */
const ASCII_ADDRESS =
  /^(?!\.)(?!.*\.\.)[A-Za-z0-9_'+\-.]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:[A-Za-z]{2,}|[Xx][Nn]--[A-Za-z0-9-]*[A-Za-z0-9])$/;

/**
 * Beyond ASCII: letters, marks and digits in labels, and dots. Other characters are refused, because `new URL` would
 * read a port, path or user into them.
 */
const INTERNATIONAL_DOMAIN = /^(?=.*[^\x21-\x7e])[\p{L}\p{M}\p{N}\-.\u3002\uff0e\uff61\u200c\u200d]+$/u;

/** An address; its internationalised domain becomes Punycode (`ops@münchen.example` → `ops@xn--mnchen-3ya.example`). */
export const mailAddress = z
  .string()
  .transform(withAsciiDomain)
  .pipe(
    z.email({ pattern: ASCII_ADDRESS, error: "must be an e-mail address, such as ops@example.com" }).max(MAX_LENGTH),
  );

function withAsciiDomain(address: string): string {
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  if (!INTERNATIONAL_DOMAIN.test(domain) || !URL.canParse(`http://${domain}`)) return address;
  return `${address.slice(0, at)}@${new URL(`http://${domain}`).hostname}`;
}
