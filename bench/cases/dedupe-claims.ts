// Case: how many notices per second can be claimed. A claim keeps two messages from sending the same notice. Measures
// the command beside a plain SET, then the claim through Upstash's client. Throws unless each key has one winner.

import { Redis } from "ioredis";
import { createEmbeddedRedis } from "../../dev/upstash/embedded-redis.ts";
import { startUpstash } from "../../dev/upstash/start-upstash.ts";
import { upstashClaims } from "../../src/adapters/redis/upstash-claims.ts";
import { Outage } from "../../src/ports/outage.ts";
import type { AlertId } from "../../src/records/alert.ts";
import type { ChannelId } from "../../src/records/channel.ts";
import type { DeliveryKey } from "../../src/records/delivery.ts";
import type { BenchRun } from "../bench-run.ts";
import type { Row } from "../report/report.ts";
import { median } from "../rounds.ts";

const TARGET_PER_SECOND = 10_000;

/** Claims per notice: one for each copy of LiteLLM's webhook and one for a redelivery. */
const COPIES = 3;
const ROUNDS = 5;
const COMMANDS = 10_000;
const PIPELINE = 100;

const TOKEN = "bench-token";

/** Runs a batch of commands and returns the reply of each. */
type Pipeline = (commands: readonly string[][]) => Promise<unknown[]>;

/** `redisUrl` null: measures embedded Redis only. */
export async function dedupeClaims(run: BenchRun, redisUrl: string | null): Promise<Row[]> {
  const embedded = createEmbeddedRedis();
  const rows = [
    ...(await commandRows(run, "embedded Redis, one command after the other", async (commands) => {
      const replies: unknown[] = [];
      for (const [name = "", ...words] of commands) replies.push(await embedded.run([name, ...words]));
      return replies;
    })),
  ];
  if (redisUrl !== null) rows.push(...(await onRealRedis(run, redisUrl)));
  rows.push(...(await clientRows(run, redisUrl)));
  return rows;
}

async function onRealRedis(run: BenchRun, redisUrl: string): Promise<Row[]> {
  const redis = new Redis(redisUrl);
  try {
    return await commandRows(run, `real Redis, pipelines of ${PIPELINE}`, async (commands) => {
      const answers = await redis
        .pipeline(commands.map(([name = "", ...words]) => [name.toLowerCase(), ...words]))
        .exec();
      return (answers ?? []).map(([error, reply]) => error ?? reply);
    });
  } finally {
    redis.disconnect();
  }
}

/** Alternates rounds of the baseline and of claims. */
async function commandRows({ quick }: BenchRun, where: string, pipeline: Pipeline): Promise<Row[]> {
  const count = quick ? COMMANDS / 10 : COMMANDS;
  const sets: number[] = [];
  const claims: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const keys = Array.from({ length: count }, (_, at) => `bench:${where}:${round}:${Math.floor(at / COPIES)}`);
    sets.push(
      await perSecond(
        keys.map((key, at) => ["SET", `${key}:plain`, `sending:${at}`]),
        pipeline,
      ),
    );
    const won = new Map<string, number>();
    const claim = keys.map((key, at) => ["SET", key, `sending:${at}`, "NX", "EX", "60"]);
    claims.push(
      await perSecond(claim, pipeline, (reply, at) => {
        if (reply === "OK") won.set(keys[at] ?? "", (won.get(keys[at] ?? "") ?? 0) + 1);
      }),
    );
    refuseUnfair(where, new Set(keys).size, [...won.values()]);
  }
  const group = `Notice claims, ${where}`;
  const isReal = where.startsWith("real");
  const each = median(claims);
  const target = { text: `>= ${TARGET_PER_SECOND} per s`, met: each >= TARGET_PER_SECOND };
  const ratio = median(claims.map((rate, round) => rate / (sets[round] ?? rate)));
  return [
    { group, name: "SET", figures: { "per s": median(sets).toFixed(0) } },
    {
      group,
      name: "SET NX EX, each key three times",
      figures: { "per s": each.toFixed(0), "of SET": ratio.toFixed(2) },
      ...(isReal && { target }),
    },
  ];
}

async function perSecond(
  commands: readonly string[][],
  pipeline: Pipeline,
  onReply: (reply: unknown, at: number) => void = () => {},
): Promise<number> {
  const begunAt = performance.now();
  for (let from = 0; from < commands.length; from += PIPELINE) {
    const replies = await pipeline(commands.slice(from, from + PIPELINE));
    for (const [at, reply] of replies.entries()) onReply(reply, from + at);
  }
  return (commands.length * 1_000) / (performance.now() - begunAt);
}

const CLIENT_RUNS = [
  { atOnce: 1, keys: 1_000 },
  { atOnce: 50, keys: 1_000 },
  { atOnce: 50, keys: 10_000 },
];

async function clientRows({ quick }: BenchRun, redisUrl: string | null): Promise<Row[]> {
  const upstash = await startUpstash({ port: 0, token: TOKEN, ...(redisUrl !== null && { redisUrl }) });
  try {
    const rows: Row[] = [];
    for (const { atOnce, keys } of quick ? [{ atOnce: 50, keys: 200 }] : CLIENT_RUNS) {
      const { rate, late } = await claimThroughClient(upstash.url, atOnce, keys);
      rows.push({
        group: `Notice claims through Upstash's client and REST, ${redisUrl === null ? "embedded" : "real"} Redis`,
        name: `${keys} notices, each claimed ${COPIES} times, ${atOnce} at a time`,
        figures: { "claims per s": rate.toFixed(0), "won once": String(keys), retries: String(late) },
      });
    }
    return rows;
  } finally {
    await upstash.stop();
  }
}

/**
 * Copies of a notice follow each other directly, so that they compete. When a claim times out, the same message claims
 * again, as the queue would do: it succeeds if the first attempt had won.
 */
async function claimThroughClient(url: string, atOnce: number, keys: number): Promise<{ rate: number; late: number }> {
  const claims = upstashClaims({ url, token: TOKEN });
  const won = new Map<number, number>();
  let late = 0;
  const claimed = async (key: DeliveryKey, messageId: string): Promise<boolean> => {
    for (;;) {
      try {
        return (await claims.claimNotice(key, messageId)) === "claimed";
      } catch (error) {
        if (!(error instanceof Outage)) throw error;
        late++;
      }
    }
  };
  const begunAt = performance.now();
  const waiting = Array.from({ length: keys * COPIES }, (_, at) => at).values();
  const claimer = async () => {
    for (const at of waiting) {
      const notice = Math.floor(at / COPIES);
      const key = { alertId: `${begunAt}-${notice}` as AlertId, channelId: "bench" as ChannelId };
      if (await claimed(key, `message-${at}`)) won.set(notice, (won.get(notice) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, claimer));
  const rate = (keys * COPIES * 1_000) / (performance.now() - begunAt);
  refuseUnfair("client", keys, [...won.values()]);
  return { rate, late };
}

function refuseUnfair(where: string, keys: number, won: readonly number[]): void {
  if (won.length === keys && won.every((each) => each === 1)) return;
  throw new Error(`claims, ${where}: ${won.length} of ${keys} keys were won, at most ${Math.max(...won)} times`);
}
