// `POST /v1/tenants/{id}/suspend`, `…/resume` and `…/reset`. Translates only: the flows decide and act.

import { type Context, Hono } from "hono";
import type { TenantId } from "../../../budget/tenant.ts";
import { type ResetFailure, resetTenant } from "../../../flows/tenants/reset-tenant.ts";
import { resumeTenant, suspendTenant } from "../../../flows/tenants/suspend-tenant.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin } from "../../auth.ts";
import { reasonBody } from "../../fields.ts";
import { dependencyUnavailable, noSuchTenant, problem } from "../../problem.ts";
import { ifMatch } from "../../request/if-match.ts";
import { readBody } from "../../request/read-request.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { onceAsAnswered } from "../idempotency.ts";
import { notChanged } from "./deleted-tenant.ts";
import { refusedByLiteLlm } from "./litellm-refusal.ts";
import { tenantAnswer } from "./tenant-json.ts";

const NO_RESET_OF_TEAMS =
  "LiteLLM cannot zero the spend of a team. Raise max_budget, or grant an override until the period ends.";

export const tenantActRoutes = new Hono<AppEnv>()
  .post("/v1/tenants/:id/suspend", requireAdmin, ifMatch, (c) => switchTenant(c, "suspend"))
  .post("/v1/tenants/:id/resume", requireAdmin, ifMatch, (c) => switchTenant(c, "resume"))
  .post("/v1/tenants/:id/reset", requireAdmin, ifMatch, async (c) => {
    const body = await readBody(c, reasonBody);
    if (!body.ok) return body.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    return onceAsAnswered(c, { route: `POST /v1/tenants/${tenantId}/reset`, json: body.value.json }, async () => {
      const reset = await resetTenant({ tenantId, actor: c.get("actor") }, c.get("ports"));
      return reset.ok ? tenantAnswer(c, reset.value) : resetProblem(c, tenantId, reset.failure);
    });
  });

const SWITCHES = { suspend: suspendTenant, resume: resumeTenant };

async function switchTenant(
  c: Context<AppEnv, "/v1/tenants/:id/suspend">,
  name: keyof typeof SWITCHES,
): Promise<Response> {
  const body = await readBody(c, reasonBody);
  if (!body.ok) return body.failure;
  const tenantId = tenantIdFrom(c.req.param("id"));
  if (tenantId === null) return noSuchTenant(c);
  return onceAsAnswered(c, { route: `POST /v1/tenants/${tenantId}/${name}`, json: body.value.json }, async () => {
    const switched = await SWITCHES[name]({ tenantId, actor: c.get("actor") }, c.get("ports"));
    return switched.ok ? tenantAnswer(c, switched.value) : notChanged(c, tenantId, switched.failure);
  });
}

async function resetProblem(c: Context<AppEnv>, tenantId: TenantId, reason: ResetFailure): Promise<Response> {
  switch (reason.kind) {
    case "not_found":
    case "other_version":
      return notChanged(c, tenantId, reason.kind);
    case "is_team":
      return problem(c, "litellm-refused", { detail: NO_RESET_OF_TEAMS });
    case "subject_not_found":
      return problem(c, "litellm-refused", { detail: "LiteLLM does not know this key." });
    case "litellm_refused":
      return refusedByLiteLlm(c, reason);
    case "litellm_unreachable":
      return dependencyUnavailable(
        c,
        reason.hasZeroed
          ? "LiteLLM zeroed the spend, but Bursar could not read it back. Send the reset again."
          : "LiteLLM did not answer and may have zeroed the spend. Bursar changed nothing. Send the reset again.",
      );
    case "not_recorded":
      return dependencyUnavailable(
        c,
        "LiteLLM zeroed the spend, but Postgres did not confirm the new period. Send the reset again.",
      );
  }
}
