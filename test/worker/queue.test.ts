// The Worker's queue handler inside workerd, on a real Postgres: it loses no message, throws nothing and counts nothing
// twice.

import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { queueBackoffSeconds } from "../../src/budget/schedules/backoff.ts";
import type { SpendRead } from "../../src/budget/spend.ts";
import { readMessage, type SpendMessage } from "../../src/ports/messages.ts";
import type { Ports } from "../../src/ports/ports.ts";
import { consumeBatch } from "../../src/queue/consume-batch.ts";
import { aRead, aTenantConfig, NOW, SECOND, usd } from "../budget/builders.ts";
import { idOf } from "../support/builders/builders.ts";
import { RecordedLog } from "../support/fakes/recorded-log.ts";
import { aHash, ELSEWHERE, query, recordConsole, seedTenant, subjects } from "./bursar.ts";
import { deliver } from "./deliver.ts";

let logged: ReturnType<typeof recordConsole>;
beforeEach(() => {
  logged = recordConsole();
});
afterEach(() => void vi.unstubAllGlobals());

const POSTGRES_AWAY = { NEON_ENDPOINT: ELSEWHERE };
const NO_WORDS = { retry: false };

const configOf = (tenantId: string) =>
  aTenantConfig({ tenantId: idOf(tenantId), subject: { kind: "team", id: subjects.get(tenantId) ?? "nobody's" } });
const readOf = (tenantId: string, dollars: string, differences: Partial<SpendRead> = {}): SpendMessage =>
  readMessage(configOf(tenantId), aRead({ spendNanoUsd: usd(dollars), ...differences }));
const spendOf = async (tenantId: string) =>
  (await query(`select spend from tenant_spend where tenant_id = '${tenantId}'`)).map(({ spend }) => Number(spend));
const lettersOf = (ids: readonly string[]) =>
  query(`select queue, message_id, body, attempts, error from dead_letters
    where message_id in (${ids.map((id) => `'${id}'`).join(", ")}) order by body::text`);

describe("spend", () => {
  it("records the newest spend of several tenants, and acknowledges every message", async () => {
    const [one, two] = [await seedTenant(aHash()), await seedTenant(aHash())];
    const { acked } = await deliver([readOf(one, "3"), readOf(two, "4"), readOf(one, "2", { begunAt: NOW + SECOND })]);
    expect(acked).toEqual([0, 1, 2]);
    expect([await spendOf(one), await spendOf(two)]).toEqual([[3], [4]]);
  });

  it("changes nothing when delivered again", async () => {
    const tenantId = await seedTenant(aHash());
    const message = readOf(tenantId, "3");
    const rows = () => query(`select * from tenant_spend where tenant_id = '${tenantId}'`);
    await deliver([message]);
    const once = await rows();
    expect((await deliver([message, message])).acked).toEqual([0, 1]);
    expect(await rows()).toEqual(once);
  });

  it("acknowledges spend of a deleted tenant", async () => {
    const nobody = readOf("nobody", "0");
    const messages = [
      nobody,
      { kind: "rewrite_config", tenant_id: "nobody" },
      { kind: "sync_litellm", tenant_id: "nobody" },
    ];
    expect((await deliver(messages)).acked).toEqual([0, 1, 2]);
  });

  it("writes the config to KV for a rewrite message", async () => {
    const tenantId = await seedTenant(aHash());
    await deliver([{ kind: "rewrite_config", tenant_id: tenantId }]);
    expect(await env.SNAPSHOTS.get(`config:${tenantId}`, "json")).toMatchObject({
      tenant_id: tenantId,
      max_budget: "100",
    });
  });

  it("acknowledges a message whose write KV refuses, and writes another's", async () => {
    const [broken, fine] = [await seedTenant(aHash()), await seedTenant(aHash())];
    const put = async (key: string, value: string) => {
      if (key.includes(broken)) throw new Error("429");
      await env.SNAPSHOTS.put(key, value);
    };
    const SNAPSHOTS = { get: env.SNAPSHOTS.get.bind(env.SNAPSHOTS), put };
    const rewrites = [broken, fine].map((tenantId) => ({ kind: "rewrite_config", tenant_id: tenantId }));
    const { acked, retried } = await deliver(rewrites, { bindings: { SNAPSHOTS } });
    expect([acked, retried]).toEqual([[0, 1], []]);
    expect(await env.SNAPSHOTS.get(`config:${fine}`)).not.toBeNull();
  });
});

describe("reconciling", () => {
  const LEASE = NOW + 600 * SECOND;
  const leased = async (keyHash: string) => {
    const tenantId = await seedTenant(keyHash);
    await query(`update tenant_configs set read_leased_until = to_timestamp(${LEASE / 1_000})
      where tenant_id = '${tenantId}'`);
    return { tenantId, message: { kind: "reconcile", tenant_ids: [tenantId], lease: LEASE } };
  };
  const newKey = async (spend: number) => {
    const headers = { authorization: `Bearer ${env.LITELLM_MASTER_KEY}`, "content-type": "application/json" };
    const call = async (path: string, body: object) =>
      (await fetch(env.LITELLM_URL + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
    const { token } = (await call("/key/generate", { key: `sk-${crypto.randomUUID()}` })) as { token: string };
    await call("/key/update", { key: token, spend });
    return token;
  };

  it("reconciles its tenants and acknowledges the message, beside other messages", async () => {
    const { tenantId, message } = await leased(await newKey(7));
    const other = await seedTenant(aHash());
    const { acked } = await deliver([message, readOf(other, "3")]);
    expect(acked).toEqual([0, 1]);
    expect([await spendOf(tenantId), await spendOf(other)]).toEqual([[7], [3]]);
    expect(await query(`select read_leased_until from tenant_configs where tenant_id = '${tenantId}'`)).toEqual([
      { read_leased_until: null },
    ]);
  });

  it("reads as many tenants as the KV operations of an invocation allow, and sends the other messages again", async () => {
    const [one, two, three] = [
      await leased(await newKey(7)),
      await leased(await newKey(8)),
      await leased(await newKey(9)),
    ];
    const full = {
      ...three.message,
      tenant_ids: [three.tenantId, ...Array.from({ length: 99 }, (_, n) => `none-${n}`)],
    };
    const { acked, retried } = await deliver([one.message, two.message, two.message, full]);
    expect([acked, retried]).toEqual([[0, 1, 2, 3], []]);
    expect([await spendOf(one.tenantId), await spendOf(two.tenantId)]).toEqual([[7], [8]]);
    expect(await spendOf(three.tenantId)).toEqual([]);
    await vi.waitFor(async () => expect(await spendOf(three.tenantId)).toEqual([9]), {
      timeout: 60_000,
      interval: 100,
    });
  });

  it("retries a reconcile while Postgres is down", async () => {
    const { tenantId, message } = await leased(await newKey(7));
    const { retried, delays } = await deliver([message], { bindings: POSTGRES_AWAY });
    expect([retried, delays]).toEqual([[0], [queueBackoffSeconds(1)]]);
    expect((await deliver([message], { attempts: 2 })).acked).toEqual([0]);
    expect(await spendOf(tenantId)).toEqual([7]);
  });

  it("acknowledges a reconcile while LiteLLM is down, because the sweep leases the tenant again", async () => {
    const { tenantId, message } = await leased(aHash());
    expect((await deliver([message], { bindings: { LITELLM_URL: ELSEWHERE } })).acked).toEqual([0]);
    expect(await spendOf(tenantId)).toEqual([]);
    expect(
      await query(`select read_leased_until is null as free from tenant_configs where tenant_id = '${tenantId}'`),
    ).toEqual([{ free: false }]);
  });
});

describe("poison", () => {
  const POISON = [
    null,
    "text",
    { kind: "nothing" },
    { kind: "observed", tenant_id: "acme" },
    { kind: "rewrite_config", tenant_id: "" },
    { kind: "reconcile", tenant_ids: [], lease: 1 },
    { kind: "reconcile", tenant_ids: ["acme"], lease: "soon" },
    { ...readOf("acme", "1"), spend: "-1" },
  ];

  it("records poison as a dead letter, and handles the valid message beside it", async () => {
    const tenantId = await seedTenant(aHash());
    const { ids, acked, retried } = await deliver([...POISON, readOf(tenantId, "5")]);
    expect([acked, retried]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8], []]);
    expect(await spendOf(tenantId)).toEqual([5]);
    const letters = await lettersOf(ids);
    expect(letters).toHaveLength(POISON.length);
    expect(letters.map(({ body }) => body)).toEqual(expect.arrayContaining(POISON));
    expect(new Set(letters.map(({ queue, error }) => `${queue}: ${error}`))).toEqual(
      new Set(["bursar-spend: not a spend message"]),
    );
  });

  it("retries poison until Postgres records it", async () => {
    const { ids, acked, retried, delays } = await deliver([{ kind: "nothing" }], {
      bindings: POSTGRES_AWAY,
      attempts: 3,
    });
    expect([acked, retried, delays]).toEqual([[], [0], [20]]);
    expect(await lettersOf(ids)).toEqual([]);
  });
});

describe("Postgres down", () => {
  it("retries every message with backoff, and throws nothing", async () => {
    const tenantId = await seedTenant(aHash());
    const messages = [readOf(tenantId, "6"), { kind: "rewrite_config", tenant_id: tenantId }];
    const delays: (number | undefined)[] = [];
    for (const attempts of [1, 2, 9]) {
      const answer = await deliver(messages, { bindings: POSTGRES_AWAY, attempts });
      expect([answer.acked, answer.retried, answer.retriedWhole]).toEqual([[], [0, 1], false]);
      delays.push(answer.delays[0]);
    }
    expect(delays).toEqual([5, 10, 600]);
    expect(await spendOf(tenantId)).toEqual([]);
    expect((await deliver(messages, { attempts: 10 })).acked).toEqual([0, 1]);
    expect(await spendOf(tenantId)).toEqual([6]);
  });
});

describe("a dead-letter queue", () => {
  it("records each letter whole, once, under its queue", async () => {
    const { ids, acked } = await deliver([{ any: "thing" }, 7], { queue: "bursar-notices-dead", attempts: 2 });
    expect(acked).toEqual([0, 1]);
    expect(await lettersOf(ids)).toMatchObject([
      { queue: "bursar-notices-dead", body: 7, attempts: 2, error: "gave up after the last retry" },
      { queue: "bursar-notices-dead", body: { any: "thing" }, attempts: 2 },
    ]);
  });

  it("retries letters while Postgres is down", async () => {
    const options = { queue: "bursar-spend-dead", bindings: POSTGRES_AWAY };
    const { acked, retried, delays } = await deliver([1, 2], options);
    expect([acked, retried, delays]).toEqual([[], [0, 1], [5, 5]]);
  });
});

describe("queue names", () => {
  it.each(["spend", "staging-bursar-spend"])("treats %s as the spend queue", async (queue) => {
    const tenantId = await seedTenant(aHash());
    expect((await deliver([readOf(tenantId, "1")], { queue })).acked).toEqual([0]);
    expect(await spendOf(tenantId)).toEqual([1]);
  });

  it.each(["overspend", "spend-old", "dead"])("retries and logs messages of the unknown queue %s", async (queue) => {
    const { acked, retriedWhole } = await deliver([{ kind: "nothing" }], { queue });
    expect([acked, retriedWhole]).toEqual([[], true]);
    expect(logged.error).toContainEqual(expect.objectContaining({ queue }));
  });

  it("retries the batch after a bug in a consumer, and throws nothing", async () => {
    const log = new RecordedLog();
    const clock = () => {
      throw new TypeError("a bug");
    };
    const batch = createMessageBatch("bursar-spend", [{ id: "m", timestamp: NOW, attempts: 1, body: 1 }]);
    const execution = createExecutionContext();
    await consumeBatch(batch, { log, clock } as unknown as Ports);
    expect((await getQueueResult(batch, execution)).retryBatch).not.toEqual(NO_WORDS);
    expect(log.lines).toEqual(['error consumer failed {"queue":"bursar-spend"} TypeError: a bug']);
  });
});

describe("the queue itself", () => {
  it("delivers the Worker's messages, poison included", async () => {
    const tenantId = await seedTenant(aHash());
    const marker = crypto.randomUUID();
    await env.SPEND_QUEUE.send({ kind: "nothing", marker });
    await env.SPEND_QUEUE.send(readOf(tenantId, "8"));
    await vi.waitFor(async () => expect(await spendOf(tenantId)).toEqual([8]), { timeout: 60_000, interval: 100 });
    const letters = `select queue from dead_letters where body->>'marker' = '${marker}'`;
    await vi.waitFor(async () => expect(await query(letters)).toEqual([{ queue: "bursar-spend" }]), {
      timeout: 60_000,
    });
  });
});
