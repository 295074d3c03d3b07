// The Bursar and the real proxy that `npm run test:litellm` has started, as the tests of this folder use them.

import { createHash, randomBytes } from "node:crypto";
import type { InboxMessage } from "../../../dev/inbox/message.ts";
import type { Product } from "../../../dev/real-litellm/product.ts";
import type { Relayed } from "../../../dev/real-litellm/relay.ts";
import { type Answer, apiOf, eventually, send } from "../../e2e/support/api.ts";

export const product = JSON.parse(process.env["REAL_PRODUCT"] ?? "null") as Product;
if (product === null) throw new Error("these tests are run by npm run test:litellm");

export const api = apiOf(product.bursarUrl);

/** US dollars of a call of the model `chat`, whatever it asks. */
export const COST = 0.28;

/** LiteLLM's database lags by 10 to 25 s, and a read follows the last report by 25 s. Twice that on a busy machine. */
export const LEARNED_MS = 100_000;

/** A sweep's calls to LiteLLM have ended by then. */
const SWEPT_MS = 5_000;

/** Demands a read of LiteLLM. */
export const FRESH = { "Cache-Control": "no-cache" };

/** The path at which LiteLLM asks Guard. */
export const GUARD_PATH = "/litellm/beta/litellm_basic_guardrail_api";

/** Base URLs for agents. */
export const GATE = `${product.bursarUrl}/llm`;
export const DIRECT = product.litellmUrl;

export const hashOf = (key: string) => createHash("sha256").update(key).digest("hex");

export const aName = () => `real-${randomBytes(5).toString("hex")}`;

/** A call with the master key. @throws Error with the answer when it is no 2xx. */
export async function manage(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer["body"]> {
  const answer = await send(method, DIRECT + path, { token: product.masterKey, body });
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

export const keyRow = async (key: string) => (await manage("GET", `/key/info?key=${hashOf(key)}`)).info;

/** A chat of $0.28. `max_tokens` keeps LiteLLM from reserving the cost of a long answer. */
export function chat(baseUrl: string, key: string, fields: Record<string, unknown> = {}): Promise<Answer> {
  const body = { model: "chat", max_tokens: 20, messages: [{ role: "user", content: "hi" }], ...fields };
  return send("POST", `${baseUrl}/v1/chat/completions`, { token: key, body });
}

/** @throws Error with the answer when LiteLLM or Bursar refuses a call. */
export async function spend(baseUrl: string, key: string, calls: number): Promise<void> {
  for (let each = 0; each < calls; each++) {
    const { status, body } = await chat(baseUrl, key);
    if (status !== 200) throw new Error(`call ${each + 1} of ${calls}: ${status} ${JSON.stringify(body)}`);
  }
}

/** Asks until the answer is as wanted. @throws Error with the last answer. */
export async function untilAsked(
  key: string,
  isWanted: (answer: Answer) => boolean,
  withinMs = LEARNED_MS,
): Promise<Answer> {
  let last: Answer | null = null;
  try {
    return await eventually(async () => {
      last = await api.ask(key, FRESH);
      if (isWanted(last)) return last;
      // Bursar reads a tenant on demand at most once a second.
      await pause(1_000);
      return null;
    }, withinMs);
  } catch (cause) {
    throw new Error(`Ask went on answering ${JSON.stringify((last as Answer | null)?.body)}`, { cause });
  }
}

/** At once, or by a sweep when LiteLLM was too slow. @throws Error with the reason that Bursar gives. */
export async function untilSynced(tenantId: string): Promise<void> {
  let error: unknown = null;
  const isSynced = async () => {
    const { body } = await api.admin("GET", `/v1/tenants/${tenantId}`);
    error = body.litellm_sync_error;
    if (body.litellm_sync === "synced") return true;
    await sweep();
    return pause(2_000).then(() => false);
  };
  await eventually(isSynced, LEARNED_MS).catch((cause: unknown) => {
    throw new Error(`LiteLLM was not brought to the tenant's settings: ${error}`, { cause });
  });
}

/** A tenant whose key LiteLLM has. */
export async function newTenant(fields: Record<string, unknown> = {}): Promise<{ tenantId: string; key: string }> {
  const tenant = await api.createTenant(fields);
  await untilSynced(tenant.tenantId);
  return tenant;
}

/** At once, or by a sweep when LiteLLM was too slow. @throws Error when Bursar refuses it. */
export async function deleteTenant(tenantId: string): Promise<void> {
  const { status } = await api.admin("DELETE", `/v1/tenants/${tenantId}`);
  if (status === 204) return;
  if (status !== 202) throw new Error(`not deleted: ${status}`);
  await sweep();
  await pause(SWEPT_MS);
}

export const spendsAtLeast =
  (usd: number) =>
  ({ body }: Answer): boolean =>
    body.spend >= usd - 1e-9;

/** A channel of the tenant's own, for events that the channels of the platform get only on request. */
export async function openSlackChannel(tenantId: string, events: readonly string[]): Promise<void> {
  const url = `${product.inboxUrl}/slack/${tenantId}`;
  const channel = { kind: "slack", name: "their own", tenant_id: tenantId, url, events };
  const { status } = await api.admin("POST", "/v1/channels", channel);
  if (status !== 201) throw new Error(`no channel: ${status}`);
}

/** Notices about a tenant that have arrived, newest first. */
export async function noticesOf(tenantId: string): Promise<InboxMessage[]> {
  const { body } = await send("GET", `${product.inboxUrl}/messages?accepted=true&tenant=${tenantId}`);
  return body.data;
}

/** The types of the webhooks that have arrived about a tenant, first to last. */
export async function eventTypesOf(tenantId: string): Promise<string[]> {
  const notices = await noticesOf(tenantId);
  return notices
    .filter(({ kind }) => kind === "webhook")
    .map(({ summary }) => summary)
    .toReversed();
}

/** What LiteLLM has sent to Bursar since the given time. */
export async function relayedSince(time: number): Promise<Relayed[]> {
  const { body } = await send("GET", `${product.relayUrl}/_relayed`);
  return (body as Relayed[]).filter(({ receivedAt }) => receivedAt >= time);
}

/** Until mended, Bursar accepts LiteLLM's questions and never answers. */
export async function breakGuard(): Promise<void> {
  await send("PUT", `${product.relayUrl}/_fault`, { body: { kind: "hang", path: GUARD_PATH } });
}

export async function mendGuard(): Promise<void> {
  await send("DELETE", `${product.relayUrl}/_fault`);
}

/** Runs the cron at once, with a clock that is ahead by the given time. */
export async function sweep(laterMs = 0): Promise<void> {
  const time = Date.now() + laterMs;
  const { status } = await fetch(`${product.bursarUrl}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time=${time}`);
  if (status !== 200) throw new Error(`the cron answered ${status}`);
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A measured value of this version, for the reader of the run. */
export function report(what: string): void {
  process.stdout.write(`  LiteLLM ${product.version}: ${what}\n`);
}
