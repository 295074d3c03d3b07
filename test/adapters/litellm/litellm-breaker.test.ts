// The circuit breaker in the real client: what LiteLLM still gets to see when one row, or LiteLLM itself, is broken.

import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Breaker } from "../../../src/adapters/litellm/litellm-http.ts";
import type { KeyHash, Subject } from "../../../src/budget/tenant.ts";
import type { Background } from "../../../src/ports/ports.ts";
import { NOW, SECOND, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { BROKEN, clientOf, KEY, OK } from "../../support/builders/litellm-reads.ts";
import { type Scripted, type ScriptedServer, startScriptedServer } from "../../support/servers/scripted-server.ts";

const NOBODYS_HASH = "0".repeat(64);
const NO_SUCH_KEY = [404, { error: { message: "Key not found in database", param: "key" } }] as const;
const OPEN = { ok: false, failure: { kind: "unreachable", why: "breaker open" } };

let server: ScriptedServer;
let now: number;
let breaker: Breaker;
let probes: Promise<unknown>[];
beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  now = NOW;
  breaker = new Breaker();
  probes = [];
});

/** A client of a request of its own; all of them share the isolate's breaker. */
const client = () => {
  const background: Background = (_what, work) => void probes.push(work);
  return clientOf(server.url, { clock: () => now, breaker, background });
};
const keyOf = (name: string): Subject => ({ kind: "key", id: hashOf(name) });

/** Reads the keys one after another, and waits for the probes that this causes. */
async function read(...names: string[]) {
  const answers = [];
  for (const name of names) answers.push(await client().readSubject(keyOf(name), { tries: 1 }));
  await Promise.all(probes.splice(0));
  return answers;
}
const answers = (...scripted: Scripted[]) => server.answers(...scripted);
const keysAsked = () => server.requests.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("key"));
const hash = (name: string) => hashOf(name) as string;

it("never opens for one tenant's broken row, so every other tenant is still read", async () => {
  answers(BROKEN);
  for (let time = 0; time < 10; time++) await client().readSubject(KEY, { tries: 1 });
  expect(probes).toEqual([]);
  answers(OK);
  expect((await read("b"))[0]).toMatchObject({ ok: true });
});

it("probes LiteLLM when three subjects have failed, and stays closed when LiteLLM answers", async () => {
  answers(BROKEN, BROKEN, BROKEN, NO_SUCH_KEY, OK);
  await read("a", "b", "c");
  expect(keysAsked()).toEqual([hash("a"), hash("b"), hash("c"), NOBODYS_HASH]);
  expect((await read("d"))[0]).toMatchObject({ ok: true });
});

it("opens for five seconds when the probe fails too, and closes with an answer", async () => {
  answers(BROKEN);
  await read("a", "b", "c");
  answers(OK);
  now += 4_999;
  expect(await read("a", "d")).toEqual([OPEN, OPEN]);
  expect(server.requests).toEqual([]);
  now += 1;
  expect(await read("a", "d")).toMatchObject([{ ok: true }, { ok: true }]);
  answers(BROKEN);
  await read("a", "b");
  expect(server.requests).toHaveLength(2);
});

it("probes again at the first failure after the pause, and opens again", async () => {
  answers(BROKEN);
  await read("a", "b", "c");
  now += 5 * SECOND;
  answers(BROKEN);
  await read("a");
  expect(keysAsked()).toEqual([hash("a"), NOBODYS_HASH]);
  expect(await read("b")).toEqual([OPEN]);
});

it("does not make the caller wait for the probe", async () => {
  answers(BROKEN);
  for (const name of ["a", "b", "c"]) await client().readSubject(keyOf(name), { tries: 1 });
  expect(probes).toHaveLength(1);
  expect(breaker.isOpen(now)).toBe(false);
  await Promise.all(probes);
  expect(breaker.isOpen(now)).toBe(true);
});

it("counts a refusal and an unknown key as answers", async () => {
  answers(BROKEN, BROKEN, NO_SUCH_KEY, BROKEN, BROKEN, [400, { error: { message: "no" } }], BROKEN, BROKEN, OK);
  await read("a", "b", "c", "d", "e", "f", "g", "h", "i");
  expect(server.requests).toHaveLength(9);
});

it("counts the calls about one key once, and every list of keys as one subject", async () => {
  answers(BROKEN);
  const key = hashOf("a");
  await read("a");
  await client().updateSubject(keyOf("a"), { blocked: true });
  await client().resetSpend(key);
  await client().deleteKey(key);
  const listed = (name: string) => ({ keyHash: hashOf(name) as KeyHash, tenantId: "acme" as never, createdAt: NOW });
  await client().readKeys([listed("a"), listed("b")]);
  await client().readKeys([listed("c")]);
  expect(probes).toEqual([]);
  await client().updateSoftBudget("budget-1", usd("1"));
  expect(probes).toHaveLength(1);
  await Promise.all(probes);
});

it("lets a ping through an open breaker without changing it", async () => {
  answers(BROKEN);
  await read("a", "b", "c");
  answers(OK);
  expect(await client().ping()).toMatchObject({ ok: true });
  expect(breaker.isOpen(now)).toBe(true);
});
