// `Idempotency-Key`: does a thing once, however often it is asked for within 24 h, and answers later askers the same.
// Without Redis it does the thing all the same and says so in the log: the database refuses what must not be twice.

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../../records/idempotency.ts";
import type { AppEnv } from "../app-env.ts";
import { sha256Hex } from "../auth.ts";
import { invalidFields, problem } from "../problem.ts";

/** `kept` is what a replay answers; null when nothing was done and the key may be used again. */
export interface OnceAnswer {
  readonly response: Response;
  readonly kept: IdempotentAnswer | null;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/** Runs `work` unless the header names a request that was done or is being done. `body` is the request's, as it came. */
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
 * A uuid for what the request makes: under an idempotency key always the same one for the same body, so that Postgres
 * makes it once even when Redis was away, or a request died before its answer was kept.
 */
export async function onceId(c: Context<AppEnv>, { route, body }: { route: string; body: string }): Promise<string> {
  const key = c.req.header("Idempotency-Key");
  if (key === undefined) return crypto.randomUUID();
  const hex = await sha256Hex(JSON.stringify([c.get("actor").name, route, key, body]));
  // Version 8 of RFC 9562: the bits are the maker's own.
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}

/** What throws has not answered, so its key is free again. */
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
