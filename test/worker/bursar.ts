// Shared by the tests inside workerd: the Worker's bindings, some of them broken, and direct access to Postgres.

import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { vi } from "vitest";
import { openDatabase, type Row, runStatement } from "../../src/adapters/postgres/client.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      /** Set only in tests and the local stack. */
      NEON_ENDPOINT: string;
    }
  }
}

/**
 * Replaces Postgres or LiteLLM by a server that speaks neither protocol, because workerd prints refused connections.
 */
export const ELSEWHERE = env.UPSTASH_REDIS_REST_URL;

/** Captures the Worker's log lines by level, and silences the console. */
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

/** The Worker's bindings with changes, as a new object, so that the Worker parses its configuration again. */
export const bindingsWith = (differences: Record<string, unknown>): Env => ({ ...env, ...differences }) as Env;

/** The driver keeps its endpoint for the whole isolate, so every query opens its own client. */
export function query(text: string): Promise<readonly Row[]> {
  const options = { url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT, timeoutMs: 30_000, patientTimeoutMs: 30_000 };
  return runStatement(openDatabase(options), sql.raw(text));
}

/** The subject of every tenant that this file has seeded. */
export const subjects = new Map<string, string>();

/**
 * Inserts a new tenant directly into Postgres. All files share it, and the cron of one reads every tenant whose read is
 * due: by default it is due in a century.
 */
export async function seedTenant(
  subjectId: string,
  { sync = "synced", isReadDue = false }: { sync?: "synced" | "pending"; isReadDue?: boolean } = {},
): Promise<string> {
  const tenantId = `t-${crypto.randomUUID()}`;
  subjects.set(tenantId, subjectId);
  await query(
    `insert into tenant_configs (tenant_id, subject_kind, subject_id, max_budget, subject_created_at, litellm_sync, litellm_sync_since,
       read_leased_until)
     values ('${tenantId}', 'key', '${subjectId}', 100, '2026-11-01', '${sync}', '2026-11-01',
       ${isReadDue ? "null" : "'2126-11-01'"})`,
  );
  return tenantId;
}

/** A unique hash: 64 hex digits. */
export function aHash(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A key in LiteLLM with its tenant in Postgres. */
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
