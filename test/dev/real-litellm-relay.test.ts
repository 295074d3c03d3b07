// The relay through which a real proxy reaches the Worker: it changes nothing, remembers, and can be broken.

import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Part, startPart } from "../../dev/part.ts";
import { type Relay, startRelay } from "../../dev/real-litellm/relay.ts";

let worker: Part;
let relay: Relay;
beforeAll(async () => {
  const handler = async (request: Request) => {
    const body = Buffer.from(await request.arrayBuffer());
    const { pathname, search } = new URL(request.url);
    const digest = createHash("sha256").update(body).digest("hex");
    const key = request.headers.get("x-api-key");
    return Response.json({ method: request.method, at: pathname + search, digest, key }, { status: 402 });
  };
  worker = await startPart({ name: "worker", port: 0, portVariable: "", handler });
  relay = await startRelay();
});
afterAll(async () => {
  await relay.stop();
  await worker.stop();
});

it("answers 503 until the Worker is known", async () => {
  expect((await fetch(`${relay.url}/healthz`)).status).toBe(503);
  relay.connect(worker.url);
});

it("passes method, path, headers and every byte on, and remembers the path and the status", async () => {
  const body = randomBytes(3_000_000);
  const headers = { "x-api-key": "token" };
  const answer = await fetch(`${relay.url}/a/b?c=d`, { method: "POST", headers, body });
  const digest = createHash("sha256").update(body).digest("hex");
  expect([answer.status, await answer.json()]).toEqual([402, { method: "POST", at: "/a/b?c=d", digest, key: "token" }]);
  const relayed = await (await fetch(`${relay.url}/_relayed`)).json();
  const times = { receivedAt: expect.any(Number), tookMs: expect.any(Number) };
  expect(relayed).toEqual([{ method: "POST", path: "/a/b", status: 402, ...times }]);
});

it("gives no answer on the broken path only, until it is mended", async () => {
  const fault = { kind: "hang", path: "/broken" };
  await fetch(`${relay.url}/_fault`, { method: "PUT", body: JSON.stringify(fault) });
  await expect(fetch(`${relay.url}/broken`, { signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
  expect((await fetch(`${relay.url}/whole`)).status).toBe(402);
  await fetch(`${relay.url}/_fault`, { method: "DELETE" });
  expect((await fetch(`${relay.url}/broken`)).status).toBe(402);
});
