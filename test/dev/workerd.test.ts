// The Worker on plain workerd, with KV inside or outside the process. A real binding must work the same with both.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKv } from "../../dev/kv/start-kv.ts";
import { startKvColos } from "../../dev/kv/start-kv-colos.ts";
import type { Part } from "../../dev/part.ts";
import { startWorkerd, type Workerd } from "../../dev/worker/workerd.ts";

/** A Worker that performs the operation of the path on its bindings, and answers with the result. */
const PROBE = `
const actions = {
  "/put": (env, { key, value }) => env.SNAPSHOTS.put(key, value),
  "/delete": (env, { key }) => env.SNAPSHOTS.delete(key),
  "/one": (env, { key }) => env.SNAPSHOTS.get(key, { type: "text", cacheTtl: 30 }),
  "/many": async (env, { keys }) => Object.fromEntries(await env.SNAPSHOTS.get(keys, { type: "text", cacheTtl: 30 })),
  "/json": (env, { key }) => env.SNAPSHOTS.get(key, "json"),
  "/send": (env, body) => env.SPEND_QUEUE.send(body, { contentType: "json", delaySeconds: 3 }),
  "/sendBatch": (env, { bodies }) => env.SPEND_QUEUE.sendBatch(bodies.map((body) => ({ body }))),
  "/vars": (env) => [env.LITELLM_URL, env.ADMIN_TOKENS, env.FAIL_OPEN_MINUTES],
};
export default {
  async fetch(request, env) {
    try {
      return Response.json((await actions[new URL(request.url).pathname](env, await request.json())) ?? null);
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
  async scheduled({ scheduledTime }, env) {
    if (scheduledTime === 0) throw new Error("broken on purpose");
    await env.SNAPSHOTS.put("cron", String(scheduledTime));
  },
};`;

const environment = {
  secrets: { ADMIN_TOKENS: 'dev="quoted", and more' },
  vars: { LITELLM_URL: "http://127.0.0.1:9" },
};

const bundleDir = mkdtempSync(join(tmpdir(), "bursar-probe-"));
let kv: Part;
let inside: Workerd;
let outside: Workerd;

beforeAll(async () => {
  writeFileSync(join(bundleDir, "worker.js"), PROBE);
  kv = await startKv();
  inside = await startWorkerd({ bundleDir, environment });
  outside = await startWorkerd({ bundleDir, environment, kv: { address: `127.0.0.1:${kv.port}` } });
});

afterAll(async () => {
  await inside?.stop();
  await outside?.stop();
  await kv?.stop();
  rmSync(bundleDir, { recursive: true, force: true });
});

async function ask({ url }: Workerd, path: string, body: object = {}): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, answer: response.ok ? JSON.parse(text) : text };
}

describe.each(["inside", "outside"])("a KV namespace %s", (where) => {
  const worker = () => (where === "inside" ? inside : outside);

  it("returns the stored value for any key", async () => {
    const key = "config:a/b c?d&é%";
    await ask(worker(), "/put", { key, value: '{"n":1}' });
    expect(await ask(worker(), "/one", { key })).toEqual({ status: 200, answer: '{"n":1}' });
    expect(await ask(worker(), "/json", { key })).toEqual({ status: 200, answer: { n: 1 } });
    expect((await ask(worker(), "/many", { keys: [key] })).answer).toEqual({ [key]: '{"n":1}' });
  });

  it("returns null for a missing key, alone and among others", async () => {
    await ask(worker(), "/put", { key: "here", value: "1" });
    expect((await ask(worker(), "/one", { key: "nowhere" })).answer).toBe(null);
    expect((await ask(worker(), "/many", { keys: ["here", "nowhere"] })).answer).toEqual({ here: "1", nowhere: null });
  });

  it("returns null for a deleted key", async () => {
    await ask(worker(), "/put", { key: "gone", value: "1" });
    await ask(worker(), "/delete", { key: "gone" });
    expect((await ask(worker(), "/one", { key: "gone" })).answer).toBe(null);
  });
});

describe("plain workerd", () => {
  it("fails a read of KV while the outside namespace is broken, and keeps its values", async () => {
    await ask(outside, "/put", { key: "kept", value: "1" });
    kv.setFault({ kind: "error", status: 500 });
    expect((await ask(outside, "/one", { key: "kept" })).status).toBe(500);
    kv.setFault(null);
    await kv.stop();
    expect((await ask(outside, "/one", { key: "kept" })).status).toBe(500);
    await kv.restart();
    expect(await ask(outside, "/one", { key: "kept" })).toEqual({ status: 200, answer: "1" });
  });

  it("accepts and counts messages of a queue, sent alone or together", async () => {
    const countUrl = `${inside.services["SPEND_QUEUE"]}/_counts`;
    await fetch(countUrl, { method: "DELETE" });
    expect((await ask(inside, "/send", { kind: "x" })).status).toBe(200);
    expect((await ask(inside, "/sendBatch", { bodies: [1, 2, 3] })).status).toBe(200);
    expect(await (await fetch(countUrl)).json()).toEqual({ messages: 4, sends: 2 });
  });

  it("gives the Worker the variables of wrangler.toml, overridden by the environment", async () => {
    const { answer } = await ask(inside, "/vars");
    expect(answer).toEqual(["http://127.0.0.1:9", 'dev="quoted", and more', "60"]);
  });

  it("runs the cron trigger at the given time, and says when it fails", async () => {
    await inside.runCron(1_700_000_000_000);
    expect((await ask(inside, "/one", { key: "cron" })).answer).toBe("1700000000000");
    await expect(inside.runCron(0)).rejects.toThrow("the cron trigger failed");
  });

  it("has the copies of the colo whose address it is given", async () => {
    const colos = await startKvColos(["FRA", "SIN"], { hotMs: 0, coldMs: 0 });
    const [here, there] = await Promise.all(
      ["FRA", "SIN"].map((colo) => startWorkerd({ bundleDir, environment, kv: { address: colos.addressIn(colo) } })),
    );
    try {
      if (here === undefined || there === undefined) throw new Error("there are two");
      expect((await ask(there, "/many", { keys: ["k"] })).answer).toEqual({ k: null });
      expect((await ask(here, "/put", { key: "k", value: "1" })).status).toBe(200);
      const refused = await ask(here, "/put", { key: "k", value: "2" });
      expect([refused.status, refused.answer]).toEqual([500, expect.stringContaining("429")]);
      expect((await ask(here, "/one", { key: "k" })).answer).toBe("1");
      expect((await ask(there, "/one", { key: "k" })).answer).toBe(null);
      colos.ageCopies(30_000);
      expect((await ask(there, "/many", { keys: ["k"] })).answer).toEqual({ k: "1" });
    } finally {
      await here?.stop();
      await there?.stop();
      await colos.stop();
    }
  });

  it("counts the reads of its KV by key", async () => {
    const countUrl = `${inside.services["SNAPSHOTS"]}/_counts`;
    await fetch(countUrl, { method: "DELETE" });
    await ask(inside, "/one", { key: "a" });
    await ask(inside, "/many", { keys: ["a", "b", "c"] });
    expect(await (await fetch(countUrl)).json()).toMatchObject({ reads: 1, bulkReads: 1, keysRead: 4, writes: 0 });
  });
});
