// How long an open policy stays open. In its own file, because an isolate caches the outage note for a while.

import { afterAll, beforeAll, expect, it } from "vitest";
import { apiOf, eventually } from "./support/api.ts";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { seedTenant } from "./support/seed.ts";

const HOUR_MS = 3_600_000;

let bursar: Bursar;
beforeAll(async () => {
  bursar = await startBursar();
});
afterAll(() => bursar.stop());

it("closes an open policy after FAIL_OPEN_MINUTES of an outage, and opens it again when LiteLLM is back", async () => {
  const api = apiOf(bursar.url);
  const { key } = await seedTenant(bursar, { snapshot: { spend: 10, ageMs: HOUR_MS } });
  const kv = await bursar.snapshots();
  const noted = async () => JSON.parse((await kv.get("outage:litellm")) ?? "{}").started_at;

  await bursar.stack.litellm?.stop();
  await bursar.sweep();
  await bursar.sweep();
  expect(Date.now() - (await noted())).toBeLessThan(60_000);
  await kv.put("outage:litellm", JSON.stringify({ started_at: (await noted()) - HOUR_MS }));
  // A check waits 8 ms for the outage note, in which a busy machine's KV may not answer. The isolate keeps a late note.
  const refused = await eventually(async () => {
    const answer = await api.ask(key);
    return answer.status === 503 && answer;
  });
  expect(refused.body.source).toBe("fail_closed");

  await bursar.stack.litellm?.restart();
  for (let ping = 1; ping <= 3; ping++) await bursar.sweep();
  expect(await noted()).toBeNull();
  await eventually(async () => (await api.ask(key)).status === 200);
});
