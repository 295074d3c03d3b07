// `/v1/setup/litellm`: the LiteLLM config that reports to this deployment and asks it. The answer holds secrets: only
// for administrators, and never cached.

import { Hono } from "hono";
import * as z from "zod";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin } from "../auth.ts";
import { readQuery } from "../request/read-request.ts";
import { litellmConfigYaml } from "./litellm-config-yaml.ts";

export const setupQuery = z.strictObject({ secrets: z.enum(["inline", "env"]).default("inline") });

export const setupRoutes = new Hono<AppEnv>().get("/v1/setup/litellm", requireAdmin, (c) => {
  const query = readQuery(c, setupQuery);
  if (!query.ok) return query.failure;
  const {
    webhookUrl: [urlToken],
    events: [eventsToken],
    guardrail: [guardrailToken],
  } = c.get("tokens");
  const { defaultFailPolicy: failPolicy } = c.get("ports").policy;
  const { origin } = new URL(c.req.url);
  const { secrets } = query.value;
  const yaml = litellmConfigYaml({ origin, urlToken, eventsToken, guardrailToken, failPolicy, secrets });
  return c.body(yaml, 200, { "Content-Type": "text/yaml; charset=utf-8", "Cache-Control": "no-store" });
});
