// `/v1/channels`: create, list, read, change, remove and test the channels of notices. No answer shows a target; the
// signing secret of a webhook is shown once, when it is created.

import { type Context, Hono } from "hono";
import type * as z from "zod";
import { type ChangeChannelFailure, changeChannel, removeChannel } from "../../flows/channels/change-channel.ts";
import { createChannel } from "../../flows/channels/create-channel.ts";
import { testChannel } from "../../flows/channels/test-channel.ts";
import type { ChannelKind, ChannelRecord, ChannelTarget } from "../../records/channel.ts";
import type { SendOutcome } from "../../records/delivery.ts";
import { channelTargetProblem } from "../../wire/target-url.ts";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin, requireRead } from "../auth.ts";
import { emptyQuery, reasonBody } from "../fields.ts";
import { invalidFields, otherVersion, problem } from "../problem.ts";
import { etagOf, ifMatch } from "../request/if-match.ts";
import { readBody, readDeletion, readQuery } from "../request/read-request.ts";
import { channelJson } from "./channel-json.ts";
import {
  channelChangeBody,
  channelIdFrom,
  channelListQuery,
  HEARS_NOTHING,
  newChannelBody,
} from "./channel-schemas.ts";
import { type OnceAnswer, once, onceAsAnswered, replayed } from "./idempotency.ts";
import { signingSecretFrom } from "./signing-secret.ts";

const PATH = "/v1/channels/:id";

export const channelRoutes = new Hono<AppEnv>()
  .post("/v1/channels", requireAdmin, async (c) => {
    const body = await readBody(c, newChannelBody);
    if (!body.ok) return body.failure;
    const { json, fields } = body.value;
    return once(c, { route: "POST /v1/channels", json }, (isUnanswered) => create(c, fields, isUnanswered));
  })
  .get("/v1/channels", requireRead, async (c) => {
    const query = readQuery(c, channelListQuery);
    if (!query.ok) return query.failure;
    const { tenant_id = null, cursor = null, limit } = query.value;
    const page = await c.get("ports").channels.list({ tenantId: tenant_id, before: cursor, limit });
    return c.json({ data: page.rows.map(channelJson), next_cursor: page.next });
  })
  .get(PATH, requireRead, async (c) => {
    const query = readQuery(c, emptyQuery);
    if (!query.ok) return query.failure;
    const channelId = channelIdFrom(c.req.param("id"));
    const channel = channelId === null ? null : await c.get("ports").channels.load(channelId);
    return channel === null ? noSuchChannel(c) : shown(c, channel, null);
  })
  .patch(PATH, requireAdmin, ifMatch, async (c) => {
    const body = await readBody(c, channelChangeBody);
    return body.ok ? change(c, c.req.param("id"), body.value.fields) : body.failure;
  })
  .delete(PATH, requireAdmin, ifMatch, async (c) => {
    const deletion = await readDeletion(c);
    if (!deletion.ok) return deletion.failure;
    const channelId = channelIdFrom(c.req.param("id"));
    if (channelId === null) return noSuchChannel(c);
    const removed = await removeChannel({ channelId, actor: c.get("actor") }, c.get("ports"));
    return removed.ok ? c.body(null, 204) : changeProblem(c, removed.failure);
  })
  .post(`${PATH}/test`, requireAdmin, async (c) => {
    const body = await readBody(c, reasonBody);
    if (!body.ok) return body.failure;
    const channelId = channelIdFrom(c.req.param("id"));
    if (channelId === null) return noSuchChannel(c);
    return onceAsAnswered(c, { route: `POST /v1/channels/${channelId}/test`, json: body.value.json }, async () => {
      const testId = `test_${crypto.randomUUID()}`;
      const outcome = await testChannel({ channelId, testId, now: c.get("now") }, c.get("ports"));
      return outcome === null ? noSuchChannel(c) : testAnswer(c, outcome);
    });
  });

async function create(
  c: Context<AppEnv>,
  body: z.output<typeof newChannelBody>,
  isUnanswered: boolean,
): Promise<OnceAnswer> {
  const wrong = "url" in body ? urlProblem(c, body.url, body.kind) : null;
  if (wrong !== null) return { response: wrong, kept: null };
  const { tenant_id: tenantId, name, enabled, events, min_severity: minSeverity } = body;
  const target = targetOf(body);
  const input = { tenantId, name, enabled, events, minSeverity, target, actor: c.get("actor"), isUnanswered };
  const created = await createChannel(input, c.get("ports"));
  if (!created.ok) return { response: creationProblem(c, created.failure), kept: null };
  const { channel, secret } = created.value;
  const note = `The signing secret is shown once. PATCH /v1/channels/${channel.id} with rotate_secret makes a new one.`;
  const location = `/v1/channels/${channel.id}`;
  const kept = {
    status: 201,
    location,
    body: target.kind === "webhook" ? { ...channelJson(channel), note } : channelJson(channel),
  };
  if (target.kind === "webhook" && secret === null) return { response: replayed(c, kept), kept };
  return { response: shown(c, channel, secret, { status: 201, headers: { Location: location } }), kept };
}

function creationProblem(c: Context<AppEnv>, reason: "tenant_not_found" | "other_body"): Response {
  return reason === "other_body"
    ? problem(c, "idempotency-key-reused")
    : invalidFields(c, [{ field: "tenant_id", message: "must be the id of an existing tenant" }]);
}

function targetOf(body: z.output<typeof newChannelBody>): ChannelTarget {
  if (body.kind === "email") return { kind: "email", to: body.to };
  if (body.kind === "pagerduty") return { kind: "pagerduty", routingKey: body.routing_key };
  if (body.kind === "webhook") return { kind: "webhook", url: body.url, secret: newSecret() };
  return { kind: body.kind, url: body.url };
}

async function change(
  c: Context<AppEnv>,
  id: string,
  { name, enabled, events, min_severity, url, to, routing_key, rotate_secret }: z.output<typeof channelChangeBody>,
): Promise<Response> {
  const channelId = channelIdFrom(id);
  if (channelId === null) return noSuchChannel(c);
  const present = url === undefined ? null : await c.get("ports").channels.load(channelId);
  const wrong = url === undefined || present === null ? null : urlProblem(c, url, present.kind);
  if (wrong !== null) return wrong;
  const secret = rotate_secret === true ? newSecret() : null;
  const changed = await changeChannel(
    {
      channelId,
      change: {
        ...(name !== undefined && { name }),
        ...(enabled !== undefined && { enabled }),
        ...(events !== undefined && { events }),
        ...(min_severity !== undefined && { minSeverity: min_severity }),
      },
      target: {
        ...(url !== undefined && { url }),
        ...(to !== undefined && { to }),
        ...(routing_key !== undefined && { routingKey: routing_key }),
        ...(secret !== null && { secret }),
      },
      actor: c.get("actor"),
    },
    c.get("ports"),
  );
  if (changed.ok) return shown(c, changed.value, secret);
  return changeProblem(c, changed.failure, min_severity === undefined ? "events" : "min_severity");
}

const newSecret = () => signingSecretFrom(crypto.getRandomValues(new Uint8Array(32)));

function shown(
  c: Context<AppEnv>,
  channel: ChannelRecord,
  secret: string | null,
  { status = 200, headers = {} }: { status?: 200 | 201; headers?: Record<string, string> } = {},
): Response {
  const body = { ...channelJson(channel), ...(secret !== null && { signing_secret: secret }) };
  return c.json(body, status, { ...headers, ETag: etagOf(channel.version) });
}

function urlProblem(c: Context<AppEnv>, url: string, kind: ChannelKind): Response | null {
  const message = channelTargetProblem(url, kind, { allowsLocal: c.get("ports").policy.allowsLocalTargets });
  return message === null ? null : invalidFields(c, [{ field: "url", message }]);
}

const FIELD_OF = { url: "url", to: "to", secret: "rotate_secret", routingKey: "routing_key" } as const;

/** `severityField`: the one that the body names. */
function changeProblem(
  c: Context<AppEnv>,
  reason: ChangeChannelFailure,
  severityField: "events" | "min_severity" = "events",
): Response {
  switch (reason.kind) {
    case "channel_not_found":
      return noSuchChannel(c);
    case "other_version":
      return otherVersion(c);
    case "foreign_part": {
      const message = `must not be sent for a channel of kind ${reason.channelKind}`;
      return invalidFields(
        c,
        reason.parts.map((part) => ({ field: FIELD_OF[part], message })),
      );
    }
    case "hears_nothing":
      return invalidFields(c, [{ field: severityField, message: HEARS_NOTHING }]);
    case "target_unreadable": {
      const message = "must be sent together with rotate_secret: the stored target cannot be decrypted";
      return invalidFields(c, [{ field: "url", message }]);
    }
  }
}

function testAnswer(c: Context<AppEnv>, outcome: SendOutcome): Response {
  switch (outcome.kind) {
    case "sent":
      return c.json({ status: "sent" });
    case "not_configured":
      return problem(c, "channel-not-configured", { detail: outcome.why });
    case "rejected":
    case "unanswered":
      return problem(c, "channel-failed", { detail: outcome.why });
    case "rate_limited":
    case "failed": {
      const { why, retryAfterSeconds } = outcome;
      const headers = retryAfterSeconds === null ? {} : { "Retry-After": String(Math.ceil(retryAfterSeconds)) };
      return problem(c, "channel-failed", { detail: why, headers });
    }
  }
}

function noSuchChannel(c: Context<AppEnv>): Response {
  return problem(c, "not-found", { detail: "There is no such channel." });
}
