// What the tests inside workerd share: the Worker's bindings with some of them broken, and Postgres past the Worker.

import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { vi } from "vitest";
import { openDatabase, type Row, runStatement } from "../../src/adapters/postgres/client.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      /** Only tests and the local stack have one. */
      NEON_ENDPOINT: string;
    }
  }
}

/** Postgres or LiteLLM, away: who answers there speaks neither's language. (workerd prints each refused connection.) */
export const ELSEWHERE = env.UPSTASH_REDIS_REST_URL;

/** What the Worker logs from now on, by level; the console is quiet meanwhile. */
export function recordConsole(): { error: unknown[]; warn: unknown[]; log: unknown[] } {
  const lines = { error: [] as unknown[], warn: [] as unknown[], log: [] as unknown[] };
  const { error, warn, log } = lines;
  vi.stubGlobal("console", {
    error: (line: unknown) => void error.push(line),
    warn: (line: unknown) => void warn.push(line),
    log: (line: unknown) => void log.push(line),
  });
  return lines;
}

/** The Worker's bindings, some of them changed: a new object, so that it reads its configuration anew. */
export const bindingsWith = (differences: Record<string, unknown>): Env => ({ ...env, ...differences }) as Env;

/** The driver keeps its endpoint for the whole isolate, so every look opens its own way. */
export function query(text: string): Promise<readonly Row[]> {
  const options = { url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT, timeoutMs: 5_000 };
  return runStatement(openDatabase(options), sql.raw(text));
}

/** Whose spend each seeded tenant's is. */
export const subjects = new Map<string, string>();

/** A tenant of its own, straight into Postgres. */
export async function seedTenant(subjectId: string, sync: "synced" | "pending" = "synced"): Promise<string> {
  const tenantId = `t-${crypto.randomUUID()}`;
  subjects.set(tenantId, subjectId);
  await query(
    `insert into tenant_configs (tenant_id, subject_kind, subject_id, max_budget, subject_created_at, litellm_sync, litellm_sync_since)
     values ('${tenantId}', 'key', '${subjectId}', 100, '2026-11-01', '${sync}', '2026-11-01')`,
  );
  return tenantId;
}

/** 64 hex digits that nobody else has. */
export function aHash(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A key that LiteLLM has, and Postgres the tenant of. */
export async function tenantWithKey(): Promise<{ tenantId: string; key: string; hash: string }> {
  const key = `sk-${crypto.randomUUID()}`;
  const response = await fetch(`${env.LITELLM_URL}/key/generate`, {
    method: "POST",
    headers: { authorization: `Bearer ${env.LITELLM_MASTER_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ key }),
  });
  const { token } = await response.json<{ token: string }>();
  const tenantId = await seedTenant(token);
  await query(`insert into tenant_keys (key_hash, tenant_id) values ('${token}', '${tenantId}')`);
  return { tenantId, key, hash: token };
}
