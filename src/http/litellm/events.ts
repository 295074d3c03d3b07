// `POST /v1/events/litellm`: batches of calls from LiteLLM's generic_api callback. Streams the body, which is full of
// prompts, and neither keeps nor logs them.

import { type Context, Hono } from "hono";
import { acceptCalls } from "../../flows/spend/accept-reports.ts";
import type { AppEnv } from "../app-env.ts";
import { requireEvents } from "../auth.ts";
import { problem } from "../problem.ts";
import { ParseErrors, reportsFrom } from "./event-body.ts";

export const eventRoutes = new Hono<AppEnv>().post("/v1/events/litellm", requireEvents, async (c) => {
  const parseErrors = new ParseErrors();
  const reports = reportsFrom(c.req.raw.body, parseErrors);
  const accepted = await acceptCalls({ reports, now: c.get("now") }, c.get("ports"));
  return answer(c, accepted, parseErrors);
});

/** Valid calls are counted even if others are refused: a repeated batch counts each call once. */
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
