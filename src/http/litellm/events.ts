// `POST /v1/events/litellm`: the calls that LiteLLM's generic_api callback tells of, a batch at a time. The body is read
// as a stream, as it is full of prompts: they are neither kept nor logged.

import { type Context, Hono } from "hono";
import { acceptCalls } from "../../flows/spend/accept-calls.ts";
import type { AppEnv } from "../app-env.ts";
import { requireEvents } from "../auth.ts";
import { problem } from "../problem.ts";
import { callsFrom, ParseErrors } from "./event-body.ts";

export const eventRoutes = new Hono<AppEnv>().post("/v1/events/litellm", requireEvents, async (c) => {
  const parseErrors = new ParseErrors();
  const calls = callsFrom(c.req.raw.body, parseErrors);
  const accepted = await acceptCalls({ calls, now: c.get("now") }, c.get("ports"));
  return answer(c, accepted, parseErrors);
});

/** What was right has been counted in any case; LiteLLM will not send it again. */
function answer(c: Context<AppEnv>, accepted: number, parseErrors: ParseErrors): Response {
  const { named, wrong, isTooLarge, isMalformed, failure } = parseErrors;
  if (!isTooLarge && !isMalformed && wrong === 0) return c.json({ accepted });
  c.get("ports").log.warn("events refused in part", {
    accepted,
    wrong,
    too_large: isTooLarge,
    malformed: isMalformed,
    request_id: c.get("requestId"),
  });
  const members = { accepted, wrong, errors: named };
  if (isTooLarge) return problem(c, "too-large", { members });
  const words = named.map(({ field, message }) => `${field}: ${message}`);
  const detail = [...(failure === null ? [] : [failure]), ...words].join("; ");
  return problem(c, isMalformed ? "malformed-json" : "invalid-fields", { detail, members });
}
