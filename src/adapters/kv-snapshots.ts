// Snapshots in Workers KV. Owns its keys. No write replaces a newer value that it sees; KV has no compare-and-set.

import type * as z from "zod";
import { joinRecords, type SpendRecord } from "../budget/spend.ts";
import type { Instant, KeyHash, TenantConfig, TenantId } from "../budget/tenant.ts";
import { spendRecordJson, spendRecordSchema } from "../messages.ts";
import type { KnownTenant, Log, Snapshots } from "../ports.ts";
import { bounded } from "./bounded.ts";
import { configJson, configValue, keyValue, outageValue } from "./kv-codec.ts";

/** The least that KV allows: how long a colo may answer from its own copy. */
const CACHE_TTL_SECONDS = 30;

/** Cold reads take up to a quarter of a second; a check gives up much sooner by itself. */
const TIMEOUT_MS = 2_000;

const OUTAGE_KEY = "outage:litellm";

const configKey = (tenantId: TenantId) => `config:${tenantId}`;
const spendKey = (tenantId: TenantId) => `spend:${tenantId}`;
const tenantOfKeyKey = (keyHash: KeyHash) => `tenant-of-key:${keyHash}`;

export function kvSnapshots(kv: KVNamespace, log: Log): Snapshots {
  const read = async <T>(key: string, schema: z.ZodType<T>): Promise<T | null> => {
    const text = await bounded("kv", "read", TIMEOUT_MS, kv.get(key, { type: "text", cacheTtl: CACHE_TTL_SECONDS }));
    return decode(key, text, schema, log);
  };
  const write = (key: string, value: unknown) => bounded("kv", "write", TIMEOUT_MS, kv.put(key, JSON.stringify(value)));

  return {
    async tenantOfKey(keyHash) {
      const value = await read(tenantOfKeyKey(keyHash), keyValue);
      return (value?.tenant_id ?? null) as TenantId | null;
    },

    async tenant(tenantId) {
      const keys = [configKey(tenantId), spendKey(tenantId)];
      const bulk = kv.get(keys, { type: "text", cacheTtl: CACHE_TTL_SECONDS });
      const texts = await bounded("kv", "bulk read", TIMEOUT_MS, bulk);
      return known(tenantId, texts, log);
    },

    async writeTenantOfKey(keyHash, tenantId) {
      await write(tenantOfKeyKey(keyHash), { tenant_id: tenantId });
    },

    async writeConfig(config) {
      const present = await read(configKey(config.tenantId), configValue);
      if (present === null || present.revision <= config.revision) {
        await write(configKey(config.tenantId), configJson(config));
      }
    },

    async writeDeleted(tenantId, revision) {
      const present = await read(configKey(tenantId), configValue);
      if (present === null || present.revision <= revision) {
        await write(configKey(tenantId), { deleted: true, revision });
      }
    },

    async writeSpend(tenantId, record) {
      const present = await read(spendKey(tenantId), spendRecordSchema);
      const joined = present === null ? record : joinRecords(present, record);
      await write(spendKey(tenantId), spendRecordJson(joined));
    },

    async outageStartedAt(): Promise<Instant | null> {
      return (await read(OUTAGE_KEY, outageValue))?.started_at ?? null;
    },

    async writeOutage(startedAt) {
      await write(OUTAGE_KEY, { started_at: startedAt });
    },

    async ping() {
      await read(OUTAGE_KEY, outageValue);
    },
  };
}

function known(tenantId: TenantId, texts: Map<string, string | null>, log: Log): KnownTenant | "deleted" {
  const config = decode(configKey(tenantId), texts.get(configKey(tenantId)), configValue, log);
  const spend: SpendRecord | null = decode(spendKey(tenantId), texts.get(spendKey(tenantId)), spendRecordSchema, log);
  if (config !== null && "deleted" in config) return "deleted";
  return { config: config satisfies TenantConfig | null, spend };
}

/** What lies there, or null with a log line when it makes no sense. */
function decode<T>(key: string, text: string | null | undefined, schema: z.ZodType<T>, log: Log): T | null {
  if (text === null || text === undefined) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    log.error("kv value makes no sense", cause, { kind: key.slice(0, key.indexOf(":")) });
    return null;
  }
}
