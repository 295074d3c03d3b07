// Model calls: checks the budgets, asks the guardrail, answers with a fixed text, and charges the cost.
// Must never log a prompt. It checks before the call and charges after it, so concurrent calls can overspend.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Context, Hono } from "hono";
import { authenticate, type Caller, callerHash, KEY_HEADERS } from "../auth.ts";
import { type Body, isDict } from "../dict.ts";
import { anthropicError, budgetRefusalMessage, detailError, errorOf, LitellmError, proxyError } from "../errors.ts";
import type { Guardrail } from "../outgoing/guardrail.ts";
import type { Behaviour } from "../profiles.ts";
import type { KeyView } from "../state/memory.ts";
import { ADMIN_USER, keyHash } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import type { CallRecord } from "./call-events.ts";
import { completion, embeddings, headersOf, message, streamEvents } from "./completion.ts";
import { reserve } from "./reservation.ts";

/** Headers left out of events: those that may contain a key, and those that only the simulator understands. */
const HIDDEN_HEADERS = [...KEY_HEADERS, "cookie", "x-sim-cost"];

/** Calls of the same moment are all checked before the first of them reserves its cost. */
const RESERVED_AFTER_MS = 5;

interface Call extends CallRecord {
  readonly cost: number;
  readonly caller: Caller;
  /** The spend that LiteLLM shows for the time before the call, without concurrent calls. */
  readonly spendBefore: number;
  readonly begunAt: number;
  /** Ends the reservation of this call. */
  readonly release: () => void;
}

export function chatRoutes(store: Store, guardrail: Guardrail): Hono {
  const app = new Hono();
  for (const path of ["/v1/chat/completions", "/chat/completions", "/v1/embeddings", "/embeddings"]) {
    app.post(path, (c) => complete(c, store, guardrail));
  }
  app.post("/v1/messages", (c) =>
    complete(c, store, guardrail).catch((error: unknown) => {
      throw error instanceof LitellmError ? anthropicError(errorOf(error, store.settings.behaviour)) : error;
    }),
  );
  for (const path of ["/v1/models", "/models"]) {
    app.get(path, (c) => {
      authenticate(c.req.raw.headers, { path, kind: "info" }, store);
      const model = { id: "mock", object: "model", created: 1_677_610_602, owned_by: "openai" };
      return c.json({ data: [model], object: "list" });
    });
  }
  return app;
}

async function complete(c: Context, store: Store, guardrail: Guardrail): Promise<Response> {
  const body = await jsonBody(c);
  const cost = costOf(c, body, store.settings.defaultCost);
  const record = recordOf(c, body, store.now());
  const { caller, release } = await admitted(c, { body, cost, record }, store);
  if (typeof body["model"] !== "string") {
    const rule = "Invalid model name passed in model=None. Call `/v1/models` to view available models for your key.";
    throw proxyError(400, "invalid_request_error", `${c.req.path}: ${rule}`);
  }
  const { behaviour } = store.settings;
  const spendBefore = caller.kind === "admin" ? 0 : shownSpend(caller.key, behaviour);
  const call: Call = { ...record, cost, caller, spendBefore, begunAt: performance.now(), release };
  try {
    if (!(behaviour.bodySkipsGuardrail && switchesGuardrailOff(body))) {
      await guardrail.check({ ...record, tools: body["tools"], caller: callerFields(call, store) });
    }
  } catch (error) {
    release();
    throw error;
  }
  await sleep(store.settings.callMs());
  const isStream = call.isStream;
  if (isStream) return new Response(streamed(call, store), { headers: headersOf(answered(call, store), isStream) });
  const response = responseTo(call, body);
  finish(call, response, store);
  return Response.json(response, { headers: headersOf(answered(call, store), isStream) });
}

/** In this order, the first place that has the switch decides. */
function switchesGuardrailOff(body: Body): boolean {
  const places = [body, body["metadata"], body["litellm_metadata"]].filter(isDict);
  const place = places.find((one) => "disable_global_guardrail" in one);
  return place?.["disable_global_guardrail"] === true;
}

function responseTo(call: Call, body: Body): Body {
  if (call.route.endsWith("/messages")) return message(call);
  return call.route.endsWith("/embeddings") ? embeddings(call, body["encoding_format"] === "base64") : completion(call);
}

async function jsonBody(c: Context): Promise<Body> {
  try {
    const body: unknown = await c.req.json();
    return isDict(body) ? body : {};
  } catch {
    const message = "Invalid JSON payload: unexpected character: line 1 column 1 (char 0)";
    throw proxyError(400, "invalid_request_error", message, "request_body");
  }
}

/** The cost in USD: the header `x-sim-cost`, else `metadata.sim_cost` of the body, else the default. */
function costOf(c: Context, body: Body, defaultCost: number): number {
  const metadata = isDict(body["metadata"]) ? body["metadata"] : {};
  const cost = Number(c.req.header("x-sim-cost") ?? metadata["sim_cost"] ?? defaultCost);
  if (!Number.isFinite(cost) || cost < 0) throw detailError(400, "the simulated cost must be a number of 0 or more");
  return cost;
}

function recordOf(c: Context, body: Body, startedAt: number): CallRecord {
  const { model, user } = body;
  return {
    id: randomUUID(),
    traceId: randomUUID(),
    route: c.req.path,
    model: typeof model === "string" ? model : "",
    endUser: typeof user === "string" && user !== "" ? user : null,
    isStream: body["stream"] === true,
    isUnlogged: body["no-log"] === true,
    messages: body["messages"] ?? null,
    headers: Object.fromEntries([...c.req.raw.headers].filter(([name]) => !HIDDEN_HEADERS.includes(name))),
    startedAt,
  };
}

/** Checks the caller and its budgets, and reserves the call's cost. Reports the refusal of a budget as an event. */
async function admitted(c: Context, sent: { body: Body; cost: number; record: CallRecord }, store: Store) {
  const { headers } = c.req.raw;
  const { body, cost, record } = sent;
  try {
    const caller = authenticate(headers, { path: record.route, kind: "llm", isFree: cost === 0 }, store);
    if (store.settings.behaviour.reservesBudget) await sleep(RESERVED_AFTER_MS);
    return { caller, release: reserve(caller, body, cost, store.settings.behaviour) };
  } catch (error) {
    const message = budgetRefusalMessage(error);
    if (message !== null) {
      const keyHash = callerHash(headers);
      const key = store.viewKey(keyHash);
      const team = store.viewTeam(key?.teamId ?? null);
      const before = key && { ...key, spend: shownSpend(key, store.settings.behaviour) };
      const refused = { keyHash, key: before, team: team && { ...team }, call: record, message };
      store.settings.listener({ kind: "call_refused", ...refused, endedAt: store.now() });
    }
    throw error;
  }
}

/** The spend of a key that LiteLLM shows beside a call. */
function shownSpend(key: KeyView, { hasStaleKeySpend }: Behaviour): number {
  return hasStaleKeySpend ? key.rowSpend : key.spend;
}

/** The caller's fields in the request to the guardrail. */
function callerFields({ caller, endUser }: Call, store: Store) {
  const known = caller.kind === "key" ? caller : null;
  return {
    user_api_key_hash: known?.key.hash ?? keyHash(store.settings.masterKey),
    user_api_key_alias: known?.key.alias ?? null,
    user_api_key_user_id: known === null ? ADMIN_USER : known.key.userId,
    user_api_key_team_id: known?.key.teamId ?? null,
    user_api_key_team_alias: known?.team?.alias ?? null,
    user_api_key_end_user_id: endUser,
  };
}

function finish(call: Call, response: Body, store: Store): void {
  const { caller, cost, spendBefore, begunAt, release, ...record } = call;
  release();
  if (caller.kind === "admin") return;
  const { key, team } = caller;
  const before = { ...key, spend: spendBefore };
  store.charge(key.hash, key.teamId, cost);
  const shown = { callId: record.id, model: record.model, key: before, team: team && { ...team }, cost };
  store.settings.listener({ kind: "call_finished", ...shown, call: record, response, endedAt: store.now() });
}

function answered(call: Call, store: Store) {
  const maxBudget = call.caller.kind === "key" ? call.caller.key.maxBudget : null;
  return {
    ...call,
    maxBudget,
    durationMs: performance.now() - call.begunAt,
    behaviour: store.settings.behaviour,
  };
}

/** Charges after the last chunk. Also charges a client that disconnects early, because the model has been paid. */
function streamed(call: Call, store: Store): ReadableStream<Uint8Array> {
  const events = streamEvents(call);
  const pauseMs = store.settings.callMs() / events.length;
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const event = events.shift();
      if (event === undefined) {
        finish(call, completion(call), store);
        controller.close();
        return;
      }
      await sleep(pauseMs);
      controller.enqueue(encoder.encode(`data: ${event}\n\n`));
    },
    cancel() {
      finish(call, completion(call), store);
    },
  });
}
