// Refuses encoded bodies by name. LiteLLM never encodes; a relay that does would else learn of a wrong signature or of
// malformed JSON. Comes before authentication, because a signature covers the bytes as they were sent.

import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./app-env.ts";
import { problem } from "./problem.ts";

/** No registered encoding has a longer name. */
const MAX_SHOWN = 40;

export const refuseEncoded = createMiddleware<AppEnv>(async (c, next) => {
  const encoding = encodingOf(c.req.raw);
  if (encoding === null) return next();
  return problem(c, "unsupported-encoding", {
    detail: `The body has Content-Encoding: ${encoding.slice(0, MAX_SHOWN)}. Send it unencoded, without Content-Encoding.`,
    // RFC 9110, section 15.5.16: tells the cause from an unsupported media type.
    headers: { "Accept-Encoding": "identity" },
  });
});

/** Null for a plain body, and for a request without a body. */
export function encodingOf({ body, headers }: Request): string | null {
  const encoding = headers.get("Content-Encoding")?.trim() ?? "";
  return body === null || encoding === "" || encoding.toLowerCase() === "identity" ? null : encoding;
}
