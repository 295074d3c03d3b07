// Two releases side by side, as in a gradual deploy or after a rollback: each parses the other's messages, and messages
// that only a later release can parse are retried, never dead letters.

import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  configJson,
  configValue,
  outageJson,
  outageNoteFrom,
  outageValue,
  spendJson,
  spendValue,
} from "../../src/adapters/cloudflare/kv-codec.ts";
import { kvSnapshots, newIsolateKv } from "../../src/adapters/cloudflare/kv-snapshots.ts";
import { realTimers } from "../../src/adapters/cloudflare/timers.ts";
import { foldEnded, limitAt, limitVersion } from "../../src/budget/limit.ts";
import {
  noticeMessage,
  noticeMessageSchema,
  readMessage,
  scheduledReadMessage,
  spendMessageSchema,
  syncMessage,
  webhookMessage,
} from "../../src/ports/messages.ts";
import type { AlertId } from "../../src/records/alert.ts";
import type { ChannelId } from "../../src/records/channel.ts";
import { LATEST_VERSION, versioned } from "../../src/wire/version.ts";
import { anOverride, aRead, aSpendRecord, aTenantConfig, DAY, NOW, usd } from "../budget/builders.ts";
import { hashOf, idOf } from "../support/builders/builders.ts";
import { aCall, aWebhook } from "../support/builders/spend-messages.ts";
import { RecordedLog } from "../support/fakes/recorded-log.ts";
import * as previousCodec from "../support/previous-release/kv-codec.ts";
import * as previousMessages from "../support/previous-release/messages.ts";
import { isOfLaterRelease as isLaterForPrevious } from "../support/previous-release/version.ts";
import { query, recordConsole } from "./bursar.ts";
import { deliver } from "./deliver.ts";

const acme = idOf("acme");
const config = aTenantConfig({ overrides: [anOverride()] });
const record = aSpendRecord({ spendNanoUsd: usd("12.5") });
const key = { alertId: "alert-1" as AlertId, channelId: "channel-1" as ChannelId };
const LATER = { v: LATEST_VERSION + 1 };

/** One of each message that both releases send and read. */
const SHARED = {
  rewrite_config: { kind: "rewrite_config", tenant_id: acme },
  sync_litellm: syncMessage(acme),
  webhook: webhookMessage(
    {
      ...{ auth: "signature", event: "soft_budget_crossed", event_group: "key", key_hash: hashOf("a") },
      ...{ team_id: null, user_id: null, spend: "420.5", sent_at: NOW },
    },
    NOW,
  ),
  "read_due recheck-20s": scheduledReadMessage(config, "recheck-20s"),
  "read_due recheck-60s": scheduledReadMessage(config, "recheck-60s"),
  "read_due confirm": scheduledReadMessage(config, "confirm"),
  "read_due period-end": scheduledReadMessage(config, "period-end"),
} as const;

/** One of each message that the previous release cannot read. */
const LATER_THAN_BEFORE = {
  calls: aCall(hashOf("a"), "12.5"),
  "calls that are a hint": aCall(hashOf("a"), null),
  read: readMessage(config, aRead()),
};

const without = (message: object, fields: readonly string[]) =>
  Object.fromEntries(Object.entries(message).filter(([name]) => !fields.includes(name)));

describe("queue messages beside the previous release", () => {
  it.each(Object.entries(SHARED))("sends messages that the previous release parses: %s", (_, message) => {
    const before = previousMessages.spendMessageSchema.parse(versioned(message));
    // LiteLLM's forecast is no longer read.
    const read = without(before, ["projected_spend", "projected_exceeded_date"]);
    expect(spendMessageSchema.parse(versioned(message))).toEqual(read);
  });

  it.each(Object.entries(LATER_THAN_BEFORE))("sends messages that the previous release waits for: %s", (_, message) => {
    expect(isLaterForPrevious(versioned(message))).toBe(true);
    expect(spendMessageSchema.safeParse(versioned(message)).success).toBe(true);
  });

  it("parses the previous release's calls as a hint, and its read as a reason to read again", () => {
    const sent = {
      kind: "calls",
      key_hash: hashOf("a"),
      team_id: "red",
      spend: "12.5",
      begun_at: NOW,
      received_at: NOW,
      count: 1,
    };
    expect(previousMessages.spendMessageSchema.safeParse(sent).success).toBe(true);
    expect(spendMessageSchema.parse({ v: 1, ...sent })).toMatchObject({
      kind: "calls",
      calls: [],
      hints: [{ key_hash: hashOf("a"), team_id: "red" }],
    });
    const observed = previousMessages.observedMessage(config, record);
    expect(spendMessageSchema.parse({ v: 1, ...observed })).toEqual({
      kind: "read_due",
      tenant_id: acme,
      subject_id: config.subject.id,
      reason: "confirm",
    });
  });

  it.each([
    ["recheck-20s", "hint-1"],
    ["recheck-60s", "hint-2"],
    ["confirm", "confirmation"],
    ["period-end", "period-end"],
  ] as const)("accepts both spellings of a scheduled read: %s, %s", (reason, lane) => {
    const message = scheduledReadMessage(config, reason);
    expect(message).toMatchObject({ reason, lane });
    const { lane: _, ...present } = message as typeof message & { lane: string };
    expect(spendMessageSchema.parse(present)).toEqual(spendMessageSchema.parse(without(message, ["reason"])));
  });

  it("refuses a scheduled read without a reason and a webhook without its authentication", () => {
    const read = without(scheduledReadMessage(config, "confirm"), ["reason", "lane"]);
    expect(spendMessageSchema.safeParse(read).success).toBe(false);
    const webhook = without(aWebhook(hashOf("a"), null), ["auth", "door"]);
    expect(spendMessageSchema.safeParse(webhook).success).toBe(false);
  });

  it("exchanges notices and reconcile messages with the previous release", () => {
    expect(previousMessages.noticeMessageSchema.parse(versioned(noticeMessage(key)))).toEqual(noticeMessage(key));
    expect(noticeMessageSchema.parse(previousMessages.noticeMessage(key))).toEqual(noticeMessage(key));
    const reconcile = { kind: "reconcile", tenant_ids: [acme], lease: NOW };
    expect(previousMessages.reconcileMessageSchema.parse(versioned(reconcile))).toEqual(reconcile);
  });
});

describe("queue messages of a later release", () => {
  beforeEach(() => void recordConsole());
  afterEach(() => void vi.unstubAllGlobals());
  const lettersOf = (ids: readonly string[]) =>
    query(`select id from dead_letters where message_id in (${ids.map((id) => `'${id}'`).join(", ")})`);

  it.each(["bursar-spend", "bursar-notices"])(
    "retries messages of a later release on %s without a dead letter",
    async (queue) => {
      const { ids, acked, retried, delays } = await deliver([{ ...LATER, kind: "unheard of" }], { queue });
      expect({ acked, retried, delays }).toEqual({ acked: [], retried: [0], delays: [300] });
      expect(await lettersOf(ids)).toEqual([]);
    },
  );

  it("delays no other message", async () => {
    const { acked, retried } = await deliver([{ ...LATER, kind: "unheard of" }, SHARED.rewrite_config]);
    expect({ acked, retried }).toEqual({ acked: [1], retried: [0] });
  });

  it("returns messages unchanged from the dead-letter queue to their own queue", async () => {
    const sent: unknown[] = [];
    const bindings = { SPEND_QUEUE: { send: async (body: unknown) => void sent.push(body) } };
    const later = { ...LATER, kind: "unheard of" };
    const { ids, acked } = await deliver([later], { queue: "bursar-spend-dead", bindings });
    expect([acked, sent]).toEqual([[0], [later]]);
    expect(await lettersOf(ids)).toEqual([]);
  });

  it("keeps messages on the dead-letter queue while their own queue refuses", async () => {
    const refuse = async () => {
      throw new Error("429");
    };
    const bindings = { SPEND_QUEUE: { send: refuse } };
    const { ids, retried } = await deliver([{ ...LATER }], { queue: "bursar-spend-dead", bindings });
    expect(retried).toEqual([0]);
    expect(await lettersOf(ids)).toEqual([]);
  });

  it("records them from a dead-letter queue whose name does not say which queue it belongs to", async () => {
    const { ids, acked } = await deliver([{ ...LATER }, SHARED.rewrite_config], { queue: "staging-dead" });
    expect(acked).toEqual([0, 1]);
    expect(await lettersOf(ids)).toHaveLength(2);
  });

  it("records a dead letter when the version is not a number", async () => {
    const { ids, acked } = await deliver([{ v: "2", kind: "unheard of" }]);
    expect(acked).toEqual([0]);
    expect(await lettersOf(ids)).toHaveLength(1);
  });
});

describe("KV values beside the previous release", () => {
  it("exchanges config, tombstone and spend with the previous release", () => {
    const { endedOverrides: _none, subjectMissingAt: _missing, litellmBlockedAt: _blocked, ...rest } = config;
    const { createdAt: _created, otherKeys: _keys, carriedNanoUsd: _carried, refusal: _refusal, ...known } = rest;
    const noted = { ...config, subjectMissingAt: NOW, litellmBlockedAt: NOW };
    expect(previousCodec.configValue.parse(versioned(configJson(noted)))).toEqual(known);
    expect(configValue.parse(versioned(configJson(noted)))).toEqual(noted);
    expect(configValue.parse(previousCodec.configJson(config))).toEqual(config);
    const tombstone = { deleted: true, revision: 3, deleted_at: NOW };
    expect(previousCodec.configValue.parse(versioned(tombstone))).toEqual(configValue.parse(tombstone));
    const { epoch: _, ...before } = record;
    const spend = { subject_id: config.subject.id, record: before };
    expect(previousCodec.spendValue.parse(versioned(spendJson(config, record)))).toEqual(spend);
    expect(spendValue.parse(previousCodec.spendJson(config, record))).toEqual({
      ...spend,
      tenant_created_at: null,
      record: { ...before, epoch: 0 },
    });
  });

  it("shows the previous release the same limit and limit version when ended overrides are only a number", () => {
    const ended = anOverride({ id: "ended", createdAt: NOW - 3 * DAY, expiresAt: NOW - 2 * DAY });
    const whole = aTenantConfig({ overrides: [ended, anOverride()] });
    const seen = previousCodec.configValue.parse(versioned(configJson(foldEnded(whole, NOW))));
    if ("deletedRevision" in seen) throw new Error("expected a config");
    const ofBefore = { ...config, ...seen };
    expect(ofBefore.overrides).toHaveLength(1);
    expect(limitVersion(ofBefore, NOW)).toBe(limitVersion(whole, NOW));
    expect(limitAt(ofBefore, NOW)).toEqual(limitAt(whole, NOW));
  });

  it("exchanges the tenant of a key and the outage with the previous release", () => {
    for (const value of [{ tenant_id: "acme" }, { tenant_id: null }]) {
      expect(previousCodec.keyValue.parse(versioned(value))).toEqual(value);
    }
    const note = { startedAt: NOW, pings: [{ at: NOW, hasAnswered: false }] };
    expect(previousCodec.outageValue.parse(versioned(outageJson(note)))).toEqual({ started_at: NOW });
    expect(outageNoteFrom(outageValue.parse(versioned({ started_at: NOW })))).toEqual({ startedAt: NOW, pings: [] });
  });
});

describe("KV values of a later release", () => {
  let log: RecordedLog;
  beforeEach(() => {
    log = new RecordedLog();
  });
  afterEach(() => reset());
  const snapshots = () =>
    kvSnapshots(env.SNAPSHOTS, newIsolateKv(), {
      log,
      timers: realTimers,
      clock: () => NOW,
      background: () => undefined,
    });
  const put = (revision: number) =>
    env.SNAPSHOTS.put("config:acme", JSON.stringify({ ...LATER, revision, shape: "new" }));

  it("reads a later release's value as missing, with a warning", async () => {
    await put(1);
    expect(await snapshots().tenant(acme)).toEqual({ config: null, spend: null });
    expect(log.lines).toEqual(['warn kv value of a later release {"kind":"config"}']);
  });

  it("keeps a later release's value against a config of a lower revision or its deletion", async () => {
    await put(config.revision + 1);
    await snapshots().writeConfig(config);
    await snapshots().writeDeleted(acme, config.revision, NOW);
    expect(await env.SNAPSHOTS.get("config:acme", "json")).toMatchObject({ shape: "new" });
  });

  it("replaces a later release's value by a config of the same revision", async () => {
    await put(config.revision);
    await snapshots().writeConfig(config);
    expect(await snapshots().tenant(acme)).toMatchObject({ config });
  });
});
