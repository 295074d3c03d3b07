// `/v1/tenants/{id}/keys`: list, add, remove. Translates only; the flows decide and do. A new key is shown once.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Instant, instantAfter, iso, parseDuration } from "../../../budget/instant.ts";
import { usdNumber } from "../../../budget/money.ts";
import type { KeyHash, TenantId } from "../../../budget/tenant.ts";
import { addKey, removeKey } from "../../../flows/keys/change-keys.ts";
import type { NotChanged } from "../../../flows/tenants/not-changed.ts";
import type { TenantRecord } from "../../../records/tenant.ts";
import type { AppEnv } from "../../app-env.ts";
import { requireAdmin, requireRead } from "../../auth.ts";
import { emptyQuery, NO_CURSOR, pageSize, readBy, reason } from "../../fields.ts";
import { isoOrNull } from "../../json-instant.ts";
import { invalidFields, noSuchTenant, otherVersion, problem } from "../../problem.ts";
import { etagOf, ifMatch } from "../../request/if-match.ts";
import { readBody, readDeletion, readQuery } from "../../request/read-request.ts";
import { tenantIdFrom } from "../../tenant-id.ts";
import { type OnceAnswer, once } from "../idempotency.ts";
import { noSuchPart, notChanged, tenantOfHistory } from "./deleted-tenant.ts";
import { newVirtualKey } from "./virtual-key.ts";

const PATH = "/v1/tenants/:id/keys";

const KEY_HASH = /^[0-9a-f]{64}$/;

/** Ends the present keys at once. `parseDuration` has no zero. */
const NO_OVERLAP = "0s";

const OVERLAP = "must be 0s, or a number and s, m, h, d, w or mo, such as 1h";

const overlapFrom = (text: string) => (text === NO_OVERLAP ? NO_OVERLAP : parseDuration(text));

export const newKeyBody = z.strictObject({
  overlap: readBy(overlapFrom, OVERLAP).default(NO_OVERLAP),
  reason: reason.optional(),
});

export const keyListQuery = z.strictObject({
  cursor: z.string(NO_CURSOR).regex(KEY_HASH, NO_CURSOR).optional(),
  limit: pageSize,
});

const NOT_OWN = {
  is_team: "This tenant is a team: make its keys in LiteLLM. Every key of the team counts toward the tenant.",
  is_adopted:
    "This tenant's key was adopted: regenerate it in LiteLLM. Bursar recognises the new key by the mark that it keeps.",
} as const;

const IS_NEWEST = "This is the tenant's newest key. Make another one first: POST it to this tenant's keys.";

export const keyRoutes = new Hono<AppEnv>()
  .get(PATH, requireRead, async (c) => {
    const query = readQuery(c, keyListQuery);
    if (!query.ok) return query.failure;
    const tenant = await tenantOfHistory(c, c.req.param("id"));
    if (tenant === null) return noSuchTenant(c);
    const { data, ...others } = keysJson(tenant, c.get("now"));
    const page = pageOfKeys(data, query.value);
    if (page === null) return invalidFields(c, [{ field: "cursor", message: NO_CURSOR }]);
    return c.json({ ...page, ...others });
  })
  .get(`${PATH}/:hash`, requireRead, async (c) => {
    const query = readQuery(c, emptyQuery);
    if (!query.ok) return query.failure;
    const tenant = await tenantOfHistory(c, c.req.param("id"));
    const keys = tenant === null ? [] : keysJson(tenant, c.get("now")).data;
    const key = keys.find(({ key_hash }) => key_hash === c.req.param("hash").toLowerCase());
    return key === undefined ? noSuchKey(c) : c.json(key);
  })
  .post(PATH, requireAdmin, ifMatch, async (c) => {
    const body = await readBody(c, newKeyBody);
    if (!body.ok) return body.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    if (tenantId === null) return noSuchTenant(c);
    const { json, fields } = body.value;
    const { overlap } = fields;
    const now = c.get("now");
    const othersEndAt = overlap === NO_OVERLAP ? now : instantAfter(now, overlap);
    return once(c, { route: `POST /v1/tenants/${tenantId}/keys`, json }, () => add(c, tenantId, othersEndAt));
  })
  .delete(`${PATH}/:hash`, requireAdmin, ifMatch, async (c) => {
    const deletion = await readDeletion(c);
    if (!deletion.ok) return deletion.failure;
    const tenantId = tenantIdFrom(c.req.param("id"));
    const keyHash = c.req.param("hash").toLowerCase();
    if (tenantId === null || !KEY_HASH.test(keyHash)) return noSuchKey(c);
    const input = { tenantId, keyHash: keyHash as KeyHash, actor: c.get("actor") };
    const removed = await removeKey(input, c.get("ports"));
    if (removed.ok) return c.body(null, 204);
    if (removed.failure === "other_version") return otherVersion(c);
    if (removed.failure === "is_newest") return problem(c, "key-not-replaceable", { detail: IS_NEWEST });
    return noSuchPart(c, tenantId, noSuchKey);
  });

async function additionProblem(
  c: Context<AppEnv>,
  tenantId: TenantId,
  reason: NotChanged | keyof typeof NOT_OWN,
): Promise<Response> {
  return reason === "not_found" || reason === "other_version"
    ? notChanged(c, tenantId, reason)
    : problem(c, "key-not-replaceable", { detail: NOT_OWN[reason] });
}

async function add(c: Context<AppEnv>, tenantId: TenantId, othersEndAt: Instant): Promise<OnceAnswer> {
  const { virtualKey, keyHash } = await newVirtualKey();
  const input = { tenantId, virtualKey, keyHash, othersEndAt, actor: c.get("actor") };
  const added = await addKey(input, c.get("ports"));
  if (!added.ok) {
    return { response: await additionProblem(c, tenantId, added.failure), kept: null };
  }
  const { sync, settingsVersion } = added.value;
  const keys = keysJson(added.value, c.get("now"));
  const shown = { tenant_id: tenantId, key_hash: keyHash, ...keys, litellm_sync: sync.status };
  const location = `/v1/tenants/${tenantId}/keys/${keyHash}`;
  const headers = { Location: location, ETag: etagOf(settingsVersion) };
  return {
    response: c.json({ ...shown, virtual_key: virtualKey }, 201, headers),
    kept: {
      status: 201,
      location,
      body: { ...shown, note: `The virtual key is shown once. POST /v1/tenants/${tenantId}/keys makes another one.` },
    },
  };
}

type KeyJson = ReturnType<typeof keysJson>["data"][number];

/** Cut from all keys of the tenant, which are few. Null when the cursor is no key of it. */
function pageOfKeys(keys: readonly KeyJson[], { cursor, limit }: z.output<typeof keyListQuery>) {
  const last = cursor === undefined ? -1 : keys.findIndex(({ key_hash }) => key_hash === cursor);
  if (cursor !== undefined && last === -1) return null;
  const data = keys.slice(last + 1, last + 1 + limit);
  return { data, next_cursor: last + 1 + limit < keys.length ? (data.at(-1)?.key_hash ?? null) : null };
}

/**
 * The newest first; those of a deleted tenant ended with it. `carried` is the last spend of the keys that were removed
 * in this period.
 */
function keysJson({ config, deletedAt }: TenantRecord, now: Instant) {
  const { subject, subjectCreatedAt, otherKeys, carriedNanoUsd } = config;
  const keyJson = (hash: KeyHash, createdAt: Instant, endsAt: Instant | null) => ({
    key_hash: hash,
    state: endsAt === null || endsAt > now ? "active" : "ended",
    created_at: iso(createdAt),
    ends_at: isoOrNull(endsAt),
  });
  const newest = subject.kind === "key" ? [keyJson(subject.id, subjectCreatedAt, deletedAt)] : [];
  const others = otherKeys
    .toReversed()
    .map(({ hash, createdAt, endsAt }) => keyJson(hash, createdAt, Math.min(endsAt, deletedAt ?? endsAt)));
  return { data: [...newest, ...others], currency: "USD", carried: usdNumber(carriedNanoUsd) };
}

function noSuchKey(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "The tenant has no such key." });
}
