// The distance between the Worker and a part: it delays and counts requests, and changes nothing in them.

import { afterAll, beforeAll, expect, it } from "vitest";
import { type DistantPart, startDistantPart } from "../../dev/distant-part.ts";
import { type Part, startPart } from "../../dev/part.ts";

const DELAY_MS = 80;

let near: Part;
let far: DistantPart;
beforeAll(async () => {
  const handler = async (request: Request) =>
    Response.json({ path: new URL(request.url).pathname, body: await request.text() }, { status: 201 });
  near = await startPart({ name: "near", port: 0, portVariable: "none", handler });
  far = await startDistantPart({ name: "far", url: near.url, delayMs: DELAY_MS });
});
afterAll(async () => {
  await far.stop();
  await near.stop();
});

it("passes each request on after the delay, and remembers it", async () => {
  const begunAt = performance.now();
  const answer = await fetch(`${far.url}/sql?a=b`, { method: "POST", body: "select 1" });
  expect(performance.now() - begunAt).toBeGreaterThanOrEqual(DELAY_MS - 1);
  expect([answer.status, await answer.json()]).toEqual([201, { path: "/sql", body: "select 1" }]);
  expect(far.requests()).toMatchObject([{ method: "POST", path: "/sql?a=b", body: "select 1" }]);
  far.clearRequests();
  expect([far.requests(), far.inFlight()]).toEqual([[], 0]);
});

it("counts a request as in flight until it is answered", async () => {
  far.setDelay(10_000);
  const abort = new AbortController();
  const asking = fetch(far.url, { signal: abort.signal }).catch(() => null);
  await expect.poll(() => far.inFlight()).toBe(1);
  abort.abort();
  far.setDelay(0);
  await asking;
  expect((await fetch(far.url)).status).toBe(201);
});
