// Upstash's REST protocol through Upstash's own client in each of its modes, on every available Redis.

import { randomUUID } from "node:crypto";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Part } from "../../dev/part.ts";
import { startUpstash } from "../../dev/upstash/start-upstash.ts";

const token = "a-token";
const redisUrl = process.env["TEST_REDIS_URL"];
const backends = [redisUrl ? { store: "real Redis", options: { redisUrl } } : { store: "embedded Redis", options: {} }];
const modes = [
  { mode: "as it comes", config: {} },
  { mode: "without auto-pipelining", config: { enableAutoPipelining: false } },
  { mode: "without base64", config: { responseEncoding: false as const } },
];

describe.each(backends)("Upstash REST on $store", ({ options }) => {
  let upstash: Part;
  let key = "";
  const used: string[] = [];

  const send = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${upstash.url}${path}`, {
      headers: { Authorization: `Bearer ${token}`, ...headers },
      ...(body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }),
    });

  beforeAll(async () => {
    upstash = await startUpstash({ port: 0, token, ...options });
  });

  beforeEach(() => {
    key = `test:${randomUUID()}`;
    used.push(key);
  });

  afterAll(async () => {
    await send("/", ["DEL", ...used]);
    await upstash.stop();
  });

  describe.each(modes)("to the client $mode", ({ config }) => {
    let redis: Redis;

    beforeAll(() => {
      redis = new Redis({ url: upstash.url, token, enableTelemetry: false, retry: { retries: 0 }, ...config });
    });

    it("lets exactly one of many set a key NX, with its expiry", async () => {
      const claims = await Promise.all([1, 2, 3, 4].map((n) => redis.set(key, `by ${n}`, { nx: true, ex: 60 })));
      expect(claims.toSorted()).toEqual(["OK", null, null, null]);
      expect(await redis.get(key)).toMatch(/^by [1-4]$/);
      const ttl = await redis.ttl(key);
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(60);
    });

    it("lets a key expire", async () => {
      await redis.set(key, "there for a minute", { px: 60_000 });
      expect(await redis.get(key)).toBe("there for a minute");
      await redis.set(key, "soon gone", { px: 40 });
      await new Promise((resolve) => setTimeout(resolve, 80));
      expect(await redis.get(key)).toBeNull();
    });

    it("gives null for a key that is not there, and counts what it deletes", async () => {
      expect(await redis.get(key)).toBeNull();
      await redis.set(key, "x");
      expect(await redis.del(key)).toBe(1);
      expect(await redis.exists(key)).toBe(0);
    });

    it.each([
      ["an object", { tenant_id: "acme", spend: 412.5, list: [1, null, "x"] }],
      ["Unicode", 'Zoë – 💸 \u0000\n"quoted"'],
      ["OK itself", "OK"],
      ["what looks like base64", "T0s="],
      ["an empty text", ""],
    ])("gives back %s as it was stored", async (_, value) => {
      await redis.set(key, value);
      expect(await redis.get(key)).toEqual(value);
    });

    it("gives back arrays and hashes", async () => {
      await redis.rpush(key, "OK", "Zoë", "1");
      expect(await redis.lrange(key, 0, -1)).toEqual(["OK", "Zoë", 1]);
      await redis.del(key);
      await redis.hset(key, { name: "Zoë", attempts: 3 });
      expect(await redis.hgetall(key)).toEqual({ name: "Zoë", attempts: 3 });
    });

    it("runs a pipeline in order", async () => {
      const replies = await redis.pipeline().set(key, 1).incr(key).get(key).del(key).get(key).exec();
      expect(replies).toEqual(["OK", 2, 2, 1, null]);
    });

    it("runs a transaction whole, beside others on the same key", async () => {
      const increase = () => redis.multi().incr(key).incr(key).exec<[number, number]>();
      const pairs = await Promise.all(Array.from({ length: 10 }, increase));
      expect(pairs.every(([first, second]) => second === first + 1)).toBe(true);
      expect(await redis.get(key)).toBe(20);
    });

    it("runs a script", async () => {
      await redis.set(key, "mine");
      const deleteIfMine = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`;
      expect(await redis.eval(deleteIfMine, [key], ["another's"])).toBe(0);
      expect(await redis.eval(deleteIfMine, [key], ["mine"])).toBe(1);
    });

    it("throws what Redis said when it refuses, and leaves the value alone", async () => {
      await redis.set(key, "text");
      await expect(redis.incr(key)).rejects.toThrow("ERR value is not an integer or out of range");
      expect(await redis.get(key)).toBe("text");
    });
  });

  it.each([
    ["no token", {}],
    ["a wrong token", { Authorization: "Bearer another" }],
  ])("answers 401 to %s and does nothing", async (_, headers) => {
    const response = await fetch(`${upstash.url}/set/${key}/x`, { headers });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ error: expect.any(String) });
    expect(await (await send(`/get/${key}`)).json()).toEqual({ result: null });
  });

  it("encodes strings when asked: not OK alone, not numbers, not null, but OK in an array", async () => {
    const ask = async (command: unknown[]) => (await send("/", command, { "Upstash-Encoding": "base64" })).json();
    expect(await ask(["SET", key, "Zoë"])).toEqual({ result: "OK" });
    expect(await ask(["GET", key])).toEqual({ result: "Wm/Dqw==" });
    expect(await ask(["EXISTS", key])).toEqual({ result: 1 });
    expect(await ask(["GET", `${key}:none`])).toEqual({ result: null });
    await ask(["SET", key, "OK"]);
    expect(await ask(["MGET", key, `${key}:none`])).toEqual({ result: ["T0s=", null] });
  });

  it("takes a command as a path, a body as its last argument, and options as a query", async () => {
    expect(await (await send(`/set/${key}/a%2Fb`)).json()).toEqual({ result: "OK" });
    expect(await (await send(`/get/${key}`)).json()).toEqual({ result: "a/b" });
    expect(await (await send(`/set/${key}?EX=60`, "from the body")).json()).toEqual({ result: "OK" });
    expect(await (await send("/", ["GET", key])).json()).toEqual({ result: "from the body" });
    const { result } = (await (await send(`/ttl/${key}`)).json()) as { result: number };
    expect(result).toBeGreaterThan(0);
    expect(result).toBeLessThanOrEqual(60);
  });

  it("reports a refused command of a pipeline in its place and runs the others", async () => {
    const response = await send("/pipeline", [["SET", key, "text"], ["INCR", key], ["NOSUCH"], ["GET", key]]);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual([
      { result: "OK" },
      { error: "ERR value is not an integer or out of range" },
      { error: expect.stringContaining("ERR") },
      { result: "text" },
    ]);
  });

  it("reports a command refused at work inside a transaction in its place", async () => {
    const response = await send("/multi-exec", [
      ["SET", key, "text"],
      ["INCR", key],
      ["GET", key],
    ]);
    expect(await response.json()).toEqual([
      { result: "OK" },
      { error: "ERR value is not an integer or out of range" },
      { result: "text" },
    ]);
  });

  it("discards a transaction whole when one of its commands does not exist", async () => {
    const response = await send("/multi-exec", [["SET", key, "text"], ["NOSUCH"]]);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.any(String) });
    expect(await (await send(`/get/${key}`)).json()).toEqual({ result: null });
  });

  it.each([
    ["a command that does not exist", "/", ["NOSUCH", "x"]],
    ["a command of connections", "/", ["SUBSCRIBE", "x"]],
    ["a method that is no command", "/", ["disconnect"]],
    ["a body that is not JSON", "/", "["],
    ["a body that is no command", "/", { get: "x" }],
    ["a pipeline that is one command", "/pipeline", ["GET", "x"]],
  ])("answers 400 with an error to %s", async (_, path, body) => {
    const response = await send(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^ERR /) });
  });
});

it("throws when the configured Redis cannot be reached", async () => {
  await expect(startUpstash({ port: 0, token, redisUrl: "redis://:secret@127.0.0.1:1" })).rejects.toThrow();
});
