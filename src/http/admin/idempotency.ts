// `Idempotency-Key`: runs a request once and replays its answer for 24 h.
// Without Redis it runs the request anyway and logs that: unique constraints in Postgres still prevent duplicates.

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
 * Runs `work` unless the header names a request that has finished or is running. `body` is the request body, unparsed.
 */
export async function once(
  c: Context<AppEnv>,
  { route, body }: { route: string; body: string },
  work: () => Promise<OnceAnswer>,
): Promise<Response> {
  const header = c.req.header("Idempotency-Key");
  if (header === undefined) return (await work()).response;
  if (!KEY.test(header)) {
    return invalidFields(c, [{ field: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" }]);
  }
  const key: IdempotencyKey = { actor: c.get("actor").name, route, key: header };
  const bodyHash = await sha256Hex(body);
  const claim = await claimOrGoOn(c, key, bodyHash);
  switch (claim.kind) {
    case "running":
      return problem(c, "request-running", { headers: { "Retry-After": "1" } });
    case "other_body":
      return problem(c, "idempotency-key-reused");
    case "done":
      return c.json(claim.answer.body, claim.answer.status as ContentfulStatusCode, { "Idempotency-Replayed": "true" });
    case "claimed":
      return claimed(c, key, bodyHash, work);
  }
}

async function claimOrGoOn(c: Context<AppEnv>, key: IdempotencyKey, bodyHash: string): Promise<IdempotencyClaim> {
  const { claims, log } = c.get("ports");
  try {
    return await claims.claimIdempotency(key, bodyHash);
  } catch (error) {
    log.error("idempotency key not checked", error, { request_id: c.get("requestId") });
    return { kind: "claimed" };
  }
}

/**
 * A UUID for the row that the request creates. The same idempotency key and body always give the same UUID, so Postgres
 * creates the row once even if Redis is down, or a request dies before its answer is stored.
 */
export async function onceId(c: Context<AppEnv>, { route, body }: { route: string; body: string }): Promise<string> {
  const key = c.req.header("Idempotency-Key");
  if (key === undefined) return crypto.randomUUID();
  const hex = await sha256Hex(JSON.stringify([c.get("actor").name, route, key, body]));
  // Version 8 of RFC 9562: the bits are free to choose.
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
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
    kept = answer.kept;
    return answer.response;
  } finally {
    await claims.finishIdempotency(key, bodyHash, kept).catch((error: unknown) => {
      log.error("idempotency key not kept", error, { request_id: c.get("requestId") });
    });
  }
}
