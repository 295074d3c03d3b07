// `Idempotency-Key`: runs a request once and replays its answer for 24 h. Redis keeps the answers. Postgres keeps the
// id of the operation with what was created, so without Redis, or after a request that died, nothing is created twice;
// except a further key of a tenant.

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../../records/idempotency.ts";
import { sha256Hex } from "../../wire/key-hash.ts";
import type { AppEnv } from "../app-env.ts";
import { invalidFields, problem } from "../problem.ts";

/** `kept` is the answer to replay; null when the request changed nothing and its key may be used again. */
export interface OnceAnswer {
  readonly response: Response;
  readonly kept: IdempotentAnswer | null;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Runs `work` unless the header names a request that has finished or is running. `isUnanswered`: no earlier request
 * with this key has been answered, so what one of them has created was never shown. Not so sure without Redis.
 */
export async function once(
  c: Context<AppEnv>,
  { route, json }: { route: string; json: unknown },
  work: (isUnanswered: boolean) => Promise<OnceAnswer>,
): Promise<Response> {
  const header = c.req.header("Idempotency-Key");
  if (header === undefined) return (await work(true)).response;
  if (!KEY.test(header)) {
    return invalidFields(c, [{ field: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" }]);
  }
  const actor = c.get("actor");
  const key: IdempotencyKey = { actor: actor.name, route, key: header };
  const bodyHash = await sha256Hex(canonical(json));
  c.set("actor", {
    ...actor,
    operation: {
      ...actor.operation,
      idempotency: { id: await sha256Hex(JSON.stringify([actor.name, route, header])), bodyHash },
    },
  });
  const claim = await claimOrGoOn(c, key, bodyHash);
  switch (claim?.kind) {
    case "running":
      return problem(c, "request-running", { headers: { "Retry-After": "1" } });
    case "other_body":
      return problem(c, "idempotency-key-reused");
    case "done":
      return replayed(c, claim.answer);
    default:
      return claimed(c, key, bodyHash, () => work(claim !== null));
  }
}

/** The answer to a request that was made before: it holds no secret. */
export function replayed(c: Context<AppEnv>, { status, body, location }: IdempotentAnswer): Response {
  const headers = { "Idempotency-Replayed": "true", ...(location !== undefined && { Location: location }) };
  return c.json(body, status as ContentfulStatusCode, headers);
}

/** For a request whose answer holds no secret: a success is kept as it was answered. */
export async function onceAsAnswered(
  c: Context<AppEnv>,
  request: { route: string; json: unknown },
  work: () => Promise<Response>,
): Promise<Response> {
  return once(c, request, async () => {
    const response = await work();
    return { response, kept: response.ok ? { status: response.status, body: await response.clone().json() } : null };
  });
}

/** Bodies with equal values are equal, whatever their spaces and the order of their fields. */
function canonical(json: unknown): string {
  return JSON.stringify(json, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** Null when Redis cannot tell. */
async function claimOrGoOn(
  c: Context<AppEnv>,
  key: IdempotencyKey,
  bodyHash: string,
): Promise<IdempotencyClaim | null> {
  const { claims, log } = c.get("ports");
  try {
    return await claims.claimIdempotency(key, bodyHash);
  } catch (error) {
    log.error("idempotency key not checked", error, { request_id: c.get("requestId") });
    return null;
  }
}

/** A request that throws has no answer to replay, so its key is released. */
async function claimed(
  c: Context<AppEnv>,
  key: IdempotencyKey,
  bodyHash: string,
  work: () => Promise<OnceAnswer>,
): Promise<Response> {
  const { claims, log } = c.get("ports");
  let kept: IdempotentAnswer | null = null;
  try {
    const answer = await work();
    // A caller that has gone was not answered: its next request must show what this one has created.
    kept = c.req.raw.signal.aborted ? null : answer.kept;
    return answer.response;
  } finally {
    await claims.finishIdempotency(key, bodyHash, kept).catch((error: unknown) => {
      log.error("idempotency key not kept", error, { request_id: c.get("requestId") });
    });
  }
}
