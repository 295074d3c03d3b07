// What checks are measured against: bare Hono routes with one KV read each. They do nothing else on purpose.

import { Hono } from "hono";

/** Of the KV binding; its own types belong to the Worker's side. */
interface Snapshots {
  get(key: string, options: ReadOptions): Promise<string | null>;
  get(keys: string[], options: ReadOptions): Promise<Map<string, string | null>>;
}

interface ReadOptions {
  readonly type: "text";
  readonly cacheTtl: number;
}

const OPTIONS: ReadOptions = { type: "text", cacheTtl: 30 };

const app = new Hono<{ Bindings: { SNAPSHOTS: Snapshots } }>();

app.get("/one/:tenant", async (c) => {
  const value = await c.env.SNAPSHOTS.get(`spend:${c.req.param("tenant")}`, OPTIONS);
  return value === null ? c.notFound() : c.text(value);
});

/** The read of a check: config and spend at once. */
app.get("/two/:tenant", async (c) => {
  const keys = [`config:${c.req.param("tenant")}`, `spend:${c.req.param("tenant")}`];
  const values = await c.env.SNAPSHOTS.get(keys, OPTIONS);
  const value = values.get(keys[1] ?? "");
  return typeof value === "string" ? c.text(value) : c.notFound();
});

// biome-ignore lint/style/noDefaultExport: workerd takes a Worker by its default export
export default app;
