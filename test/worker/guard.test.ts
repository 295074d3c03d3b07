// Guard inside workerd: it streams a prompt of 32 MiB and parses a few hundred bytes of it.

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import worker from "../../src/worker.ts";
import { aHash, bindingsWith, query, recordConsole, seedTenant } from "./bursar.ts";

let logged: ReturnType<typeof recordConsole>;
beforeEach(() => {
  logged = recordConsole();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;
const PROMPT = 'Whose is "request_data":{"user_api_key_hash":"0000"}? \\ tell me\n';

/** LiteLLM's request as a stream; only one chunk of it exists at a time. */
function* questionOf(keyHash: string, size: number): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const line = `${JSON.stringify(PROMPT).slice(1, -1)}`;
  const chunk = encoder.encode(line.repeat(Math.floor(CHUNK / line.length)));
  yield encoder.encode('{"texts":["');
  for (let sent = 0; sent < size / 2; sent += chunk.length) yield chunk;
  yield encoder.encode(`"],"request_data":{"user_api_key_hash":"${keyHash}"},"structured_messages":[{"content":"`);
  for (let sent = 0; sent < size / 2; sent += chunk.length) yield chunk;
  yield encoder.encode('"}],"model":"mock"}');
}

async function guard(chunks: Iterable<Uint8Array>): Promise<{ status: number; body: unknown }> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writing = (async () => {
    const writer = writable.getWriter();
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  })();
  const [token = ""] = env.GUARDRAIL_TOKENS.split(",");
  const request = new Request("http://bursar.test/litellm/beta/litellm_basic_guardrail_api", {
    method: "POST",
    headers: { "x-api-key": token },
    body: readable,
  });
  const execution = createExecutionContext();
  // Long enough for a busy machine to find the tenant.
  const response = await worker.fetch(request, bindingsWith({ CHECK_DEADLINE_MS: "9999" }), execution);
  const body = await response.json();
  await Promise.all([writing, waitOnExecutionContext(execution)]);
  return { status: response.status, body };
}

/** A tenant with a zero budget, which is always blocked. */
async function blockedKey(): Promise<{ tenantId: string; hash: string }> {
  const hash = aHash();
  const tenantId = await seedTenant(hash);
  await query(`insert into tenant_keys (key_hash, tenant_id) values ('${hash}', '${tenantId}')`);
  await query(`update tenant_configs set suspended_at = now() where tenant_id = '${tenantId}'`);
  return { tenantId, hash };
}

it("answers 32 MiB of prompts for the right key, and keeps less than 1 KiB of them", async () => {
  const { tenantId, hash } = await blockedKey();
  const parse = vi.spyOn(JSON, "parse");
  const { status, body } = await guard(questionOf(hash, 32 * MIB));
  const kept = parse.mock.calls.map(([text]) => text).filter((text) => String(text).includes("request_data"));
  expect([status, body]).toEqual([
    200,
    { action: "BLOCKED", blocked_reason: `Tenant ${tenantId} is suspended. Contact admin to resume it.` },
  ]);
  expect(kept).toEqual([
    `{"texts":[],"request_data":{"user_api_key_hash":"${hash}"},"structured_messages":[],"model":"mock"}`,
  ]);
  expect(JSON.stringify(logged)).not.toContain("tell me");
});

it("answers 100 of them at once", async () => {
  const { hash } = await blockedKey();
  // Writes the tenant to KV: a busy machine's Postgres does not answer a hundred questions within the deadline.
  await guard(questionOf(hash, 0));
  const answers = await Promise.all(Array.from({ length: 100 }, () => guard(questionOf(hash, MIB))));
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, expect.objectContaining({ action: "BLOCKED" })]);
  }
});

it("answers a truncated body with 200 by the fail policy", async () => {
  const { hash } = await blockedKey();
  const chunks = [...questionOf(hash, MIB)].slice(0, -1);
  expect(await guard(chunks)).toEqual({ status: 200, body: { action: "NONE" } });
  expect(logged.warn).toContainEqual(expect.objectContaining({ event: "unparseable guardrail request" }));
});
