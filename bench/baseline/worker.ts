// The baseline for the Worker's latency: bare Hono routes that do one thing with one binding, and deliberately no more.

import { Hono } from "hono";

/** The part of the KV binding that the routes use. The runtime's own types are only available in `src`. */
interface Snapshots {
  get(key: string, options: ReadOptions): Promise<string | null>;
  get(keys: string[], options: ReadOptions): Promise<Map<string, string | null>>;
}

interface ReadOptions {
  readonly type: "text";
  readonly cacheTtl: number;
}

interface SpendQueue {
  send(message: string, options: { readonly contentType: "text" }): Promise<unknown>;
}

interface Bindings {
  readonly SNAPSHOTS: Snapshots;
  readonly SPEND_QUEUE: SpendQueue;
  readonly WEBHOOK_SECRETS: string;
}

const HMAC = { name: "HMAC", hash: "SHA-256" } as const;

const OPTIONS: ReadOptions = { type: "text", cacheTtl: 30 };

const app = new Hono<{ Bindings: Bindings }>();
let key: CryptoKey | null = null;

app.get("/one/:tenant", async (c) => {
  const value = await c.env.SNAPSHOTS.get(`spend:${c.req.param("tenant")}`, OPTIONS);
  return value === null ? c.notFound() : c.text(value);
});

/** Reads the same two keys as a check, config and spend, in one call. */
app.get("/two/:tenant", async (c) => {
  const keys = [`config:${c.req.param("tenant")}`, `spend:${c.req.param("tenant")}`];
  const values = await c.env.SNAPSHOTS.get(keys, OPTIONS);
  const value = values.get(keys[1] ?? "");
  return typeof value === "string" ? c.text(value) : c.notFound();
});

/** The minimum for a webhook: verifies the signature and queues the body without parsing it. */
app.post("/webhook", async (c) => {
  const body = await c.req.arrayBuffer();
  const hex = (c.req.header("x-litellm-signature") ?? "").replace("sha256=", "");
  const signature = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  key ??= await crypto.subtle.importKey("raw", new TextEncoder().encode(c.env.WEBHOOK_SECRETS), HMAC, false, [
    "verify",
  ]);
  if (!(await crypto.subtle.verify(HMAC, key, signature, body))) return c.text("not signed", 401);
  await c.env.SPEND_QUEUE.send(new TextDecoder().decode(body), { contentType: "text" });
  return c.text("accepted");
});

// biome-ignore lint/style/noDefaultExport: workerd takes a Worker by its default export
export default app;
