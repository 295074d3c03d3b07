// Snapshots in Workers KV. Owns its keys. No write replaces a newer value that it sees; KV has no compare-and-set.

import type * as z from "zod";
import type { Instant } from "../../budget/instant.ts";
import { joinRecords } from "../../budget/spend.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Log, Snapshots } from "../../ports/ports.ts";
import { isOfLaterRelease, versioned } from "../../wire/version.ts";
import { withBindingTimeout } from "./binding-timeout.ts";
import { putBounded } from "./bounded-map.ts";
import {
  configJson,
  configValue,
  isSpendOf,
  keyValue,
  outageValue,
  revisionValue,
  spendJson,
  spendValue,
} from "./kv-codec.ts";

/** How long a colo may answer from its own copy. KV allows no less. */
const CACHE_TTL_SECONDS = 30;

/** Cold reads take up to a quarter of a second; a check gives up much sooner by itself. */
const TIMEOUT_MS = 2_000;

/** How long a team's key stays resolved to its tenant. */
const TEAM_KEY_SECONDS = 3_600;

const OUTAGE_KEY = "outage:litellm";

const configKey = (tenantId: TenantId) => `config:${tenantId}`;
const spendKey = (tenantId: TenantId) => `spend:${tenantId}`;
const tenantOfKeyKey = (keyHash: KeyHash) => `tenant-of-key:${keyHash}`;

/**
 * What was decoded last of each key. Values are read far more often than they change, and decoding is half the work.
 */
export type Decoded = Map<string, { readonly text: string; readonly value: unknown }>;

/** `decoded` lives as long as the isolate. */
export function kvSnapshots(kv: KVNamespace, decoded: Decoded, log: Log): Snapshots {
  const decode = decoderOf(decoded, log);
  const read = async <T>(key: string, schema: z.ZodType<T>): Promise<T | null> => {
    const text = await withBindingTimeout(
      "kv",
      "read",
      TIMEOUT_MS,
      kv.get(key, { type: "text", cacheTtl: CACHE_TTL_SECONDS }),
    );
    return decode(key, text, schema);
  };
  /** Every release keeps `revision` where this one does, so that none replaces another's newer config. */
  const revisionAt = async (key: string): Promise<number> => {
    const text = await withBindingTimeout(
      "kv",
      "read",
      TIMEOUT_MS,
      kv.get(key, { type: "text", cacheTtl: CACHE_TTL_SECONDS }),
    );
    return text === null ? -1 : revisionIn(text);
  };
  const write = (key: string, value: object, options?: KVNamespacePutOptions) =>
    withBindingTimeout("kv", "write", TIMEOUT_MS, kv.put(key, JSON.stringify(versioned(value)), options));

  return {
    // Every check makes these two reads and limits them by its own deadline, so they have no second timer here.
    async tenantOfKey(keyHash) {
      const key = tenantOfKeyKey(keyHash);
      const value = decode(key, await kv.get(key, { type: "text", cacheTtl: CACHE_TTL_SECONDS }), keyValue);
      return (value?.tenant_id ?? null) as TenantId | null;
    },

    async tenant(tenantId) {
      const keys = { config: configKey(tenantId), spend: spendKey(tenantId) };
      const texts = await kv.get([keys.config, keys.spend], { type: "text", cacheTtl: CACHE_TTL_SECONDS });
      const config = decode(keys.config, texts.get(keys.config), configValue);
      if (config === null || "deletedRevision" in config) return config ?? { config, spend: null };
      const spend = decode(keys.spend, texts.get(keys.spend), spendValue);
      return { config, spend: spend !== null && isSpendOf(config, spend) ? spend.record : null };
    },

    async writeTenantOfKey(keyHash, tenantId, options) {
      const lifetime = options?.expires === true ? { expirationTtl: TEAM_KEY_SECONDS } : {};
      await write(tenantOfKeyKey(keyHash), { tenant_id: tenantId }, lifetime);
    },

    async writeConfig(config) {
      if ((await revisionAt(configKey(config.tenantId))) <= config.revision) {
        await write(configKey(config.tenantId), configJson(config));
      }
    },

    async writeDeleted(tenantId, revision, deletedAt) {
      if ((await revisionAt(configKey(tenantId))) <= revision) {
        await write(configKey(tenantId), { deleted: true, revision, deleted_at: deletedAt });
      }
    },

    async writeSpend(config, record) {
      const key = spendKey(config.tenantId);
      const present = await read(key, spendValue);
      const own = present !== null && isSpendOf(config, present) ? present.record : null;
      await write(key, spendJson(config, own === null ? record : joinRecords(own, record)));
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

/** -1 when the text holds no revision: any config may replace it. */
function revisionIn(text: string): number {
  try {
    return revisionValue.parse(JSON.parse(text)).revision;
  } catch {
    return -1;
  }
}

/** Parses a value, or logs it and returns null when it is unparseable. */
function decoderOf(decoded: Decoded, log: Log) {
  return <T>(key: string, text: string | null | undefined, schema: z.ZodType<T>): T | null => {
    if (text === null || text === undefined) return null;
    const last = decoded.get(key);
    // One key is only ever read with one schema.
    if (last?.text === text) return last.value as T;
    try {
      const json: unknown = JSON.parse(text);
      if (isOfLaterRelease(json)) {
        log.warn("kv value of a later release", { kind: key.slice(0, key.indexOf(":")) });
        putBounded(decoded, key, { text, value: null });
        return null;
      }
      const value = schema.parse(json);
      putBounded(decoded, key, { text, value });
      return value;
    } catch (cause) {
      log.error("unparseable kv value", cause, { kind: key.slice(0, key.indexOf(":")) });
      return null;
    }
  };
}
