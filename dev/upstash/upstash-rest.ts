// Upstash's REST protocol over a Redis: a single command, a pipeline, a transaction, or a command as a path.
// Only translates; the store runs the commands. Answers 400 when Redis refuses, 500 when Redis is unreachable.

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { type Command, CommandRefusedError, type RedisStore, type Reply } from "./redis-store.ts";

/** Arguments may be JSON numbers and booleans too: `["SET", "k", 1, "EX", 60]`. */
const argument = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const command = z.tuple([z.string().min(1)], argument);
const commands = z.array(command);

export function upstashRest(store: RedisStore, token: string): (request: Request) => Response | Promise<Response> {
  const app = new Hono();
  app.use(async (c, next) => {
    if (isBearer(c.req.header("Authorization"), token)) return next();
    return c.json({ error: "Unauthorized: invalid auth token" }, 401);
  });
  app.post("/", async (c) => c.json(encode({ result: await store.run(await read(c.req.raw, command)) }, c.req.raw)));
  app.post("/pipeline", async (c) => {
    const replies: Reply[] = [];
    for (const each of await read(c.req.raw, commands)) replies.push(await runForReply(store, each));
    return c.json(replies.map((reply) => encode(reply, c.req.raw)));
  });
  app.post("/multi-exec", async (c) => {
    const replies = await store.runTogether(await read(c.req.raw, commands));
    return c.json(replies.map((reply) => encode(reply, c.req.raw)));
  });
  app.on(["GET", "POST"], "/*", async (c) =>
    c.json(encode({ result: await store.run(await commandOfPath(c.req.raw)) }, c.req.raw)),
  );
  app.onError((error, c) =>
    error instanceof CommandRefusedError
      ? c.json({ error: error.message }, 400)
      : c.json({ error: `ERR Redis cannot be reached: ${error.message}` }, 500),
  );
  return app.fetch;
}

async function runForReply(store: RedisStore, each: Command): Promise<Reply> {
  try {
    return { result: await store.run(each) };
  } catch (error) {
    if (error instanceof CommandRefusedError) return { error: error.message };
    throw error;
  }
}

async function read<T>(request: Request, shape: z.ZodType<T>): Promise<T> {
  const parsed = shape.safeParse(await request.json().catch(() => undefined));
  if (!parsed.success) throw new CommandRefusedError("ERR failed to parse command");
  return parsed.data;
}

/** `/set/key/value?EX=60`. The body of a POST is one more argument, before those of the query. */
async function commandOfPath(request: Request): Promise<Command> {
  const { pathname, searchParams } = new URL(request.url);
  const [name = "", ...args] = pathname.slice(1).split("/").map(decodeURIComponent);
  const body = request.method === "POST" ? await request.text() : "";
  const options = [...searchParams].flatMap(([key, value]) => (value === "" ? [key] : [key, value]));
  return [name, ...args, ...(body === "" ? [] : [body]), ...options];
}

function encode(reply: Reply, request: Request): Reply {
  if ("error" in reply) return reply;
  const plain = toJson(reply.result);
  if (request.headers.get("Upstash-Encoding") !== "base64") return { result: plain };
  // Upstash's client does not decode a bare OK, but it decodes every string inside an array.
  return { result: plain === "OK" ? plain : toBase64(plain) };
}

/** ioredis returns a hash as an object; on the wire it is a list: field, value, field, value. */
function toJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === "object" && value !== null) return Object.entries(value).flat().map(toJson);
  return value ?? null;
}

function toBase64(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toBase64);
  return typeof value === "string" ? Buffer.from(value).toString("base64") : value;
}

function isBearer(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? "");
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
