// `/v1/tenants/{id}/keys`: list, add, remove. Translates only; the flows decide and do. A new key is shown once.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Instant, instantAfter, iso, parseDuration } from "../../../budget/instant.ts";
import { usdNumber } from "../../../budget/money.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../../budget/tenant.ts";
import { addKey, removeKey } from "../../../flows/keys/change-keys.ts";
import { keyHashOf } from "../../../wire/key-hash.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin, requireRead } from "../../auth.ts";
import { fieldErrors, jsonFrom, readBy } from "../../fields.ts";
import { invalidFields, noSuchTenant, problem } from "../../problem.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once } from "../idempotency.ts";
import { noLivingTenant } from "./deleted-tenant.ts";
import { virtualKeyFrom } from "./virtual-key.ts";

const PATH = "/v1/tenants/:id/keys";

const KEY_HASH = /^[0-9a-f]{64}$/;

/** Ends the present keys at once. `parseDuration` has no zero. */
const NO_OVERLAP = "0s";

const OVERLAP = "must be 0s, or a number and s, m, h, d, w or mo, such as 1h";

const overlapFrom = (text: string) => (text === NO_OVERLAP ? NO_OVERLAP : parseDuration(text));

const newKeyBody = z.strictObject({ overlap: readBy(overlapFrom, OVERLAP).default(NO_OVERLAP) });

const NOT_OWN = {
  is_team: "This tenant is a team: make its keys in LiteLLM. Every key of the team counts toward the tenant.",
  is_adopted:
    "This tenant's key was adopted: regenerate it in LiteLLM. Bursar recognises the new key by the mark that it keeps.",
} as const;

const IS_NEWEST = "This is the tenant's newest key. Make another one first: POST it to this tenant's keys.";

export const keyRoutes = new Hono<AppEnv>()
  .get(PATH, requireRead, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const tenant = tenantId === null ? null : await c.get("ports").tenants.load(tenantId);
    if (tenant === null) return noSuchTenant(c);
    return c.json({ ...keysJson(tenant.config, c.get("now")), next_cursor: null });
  })
  .post(PATH, requireAdmin, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const text = await c.req.text();
    const json = text === "" ? {} : jsonFrom(text);
    if (json === undefined) return problem(c, "malformed-json");
    const body = newKeyBody.safeParse(json);
    if (!body.success) return invalidFields(c, fieldErrors(body.error));
    const { overlap } = body.data;
    const now = c.get("now");
    const othersEndAt = overlap === NO_OVERLAP ? now : instantAfter(now, overlap);
    return once(c, { route: `POST /v1/tenants/${tenantId}/keys`, json }, () => add(c, tenantId, othersEndAt));
  })
  .delete(`${PATH}/:hash`, requireAdmin, async (c) => {
    const tenantId = tenantIdFrom(c.req.param("id"));
    const keyHash = c.req.param("hash").toLowerCase();
    if (tenantId === null || !KEY_HASH.test(keyHash)) return noSuchKey(c);
    const input = { tenantId, keyHash: keyHash as KeyHash, actor: c.get("actor") };
    const removed = await removeKey(input, c.get("ports"));
    if (removed.ok) return c.body(null, 204);
    return removed.failure === "is_newest" ? problem(c, "key-not-replaceable", { detail: IS_NEWEST }) : noSuchKey(c);
  });

async function add(c: Context<AppEnv>, tenantId: TenantId, othersEndAt: Instant): Promise<OnceAnswer> {
  const virtualKey = virtualKeyFrom(crypto.getRandomValues(new Uint8Array(32)));
  const keyHash = await keyHashOf(virtualKey);
  const input = { tenantId, virtualKey, keyHash, othersEndAt, actor: c.get("actor") };
  const added = await addKey(input, c.get("ports"));
  if (!added.ok) {
    const response =
      added.failure === "not_found"
        ? await noLivingTenant(c, tenantId)
        : problem(c, "key-not-replaceable", { detail: NOT_OWN[added.failure] });
    return { response, kept: null };
  }
  const { config, sync } = added.value;
  const keys = keysJson(config, c.get("now"));
  const shown = { tenant_id: tenantId, key_hash: keyHash, ...keys, litellm_sync: sync.status };
  const headers = { Location: `/v1/tenants/${tenantId}/keys`, "Cache-Control": "no-store" };
  return {
    response: c.json({ ...shown, virtual_key: virtualKey }, 201, headers),
    kept: {
      status: 201,
      body: { ...shown, note: `The virtual key is shown once. POST /v1/tenants/${tenantId}/keys makes another one.` },
    },
  };
}

/** The newest first. `carried` is the last spend of the keys that were removed in this period. */
function keysJson({ subject, subjectCreatedAt, otherKeys, carriedNanoUsd }: TenantConfig, now: Instant) {
  const newest =
    subject.kind === "key"
      ? [{ key_hash: subject.id, state: "active", created_at: iso(subjectCreatedAt), ends_at: null }]
      : [];
  const others = otherKeys.toReversed().map(({ hash, createdAt, endsAt }) => ({
    key_hash: hash,
    state: endsAt > now ? "active" : "ended",
    created_at: iso(createdAt),
    ends_at: iso(endsAt),
  }));
  return { data: [...newest, ...others], currency: "USD", carried: usdNumber(carriedNanoUsd) };
}

function noSuchKey(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "The tenant has no such key." });
}
