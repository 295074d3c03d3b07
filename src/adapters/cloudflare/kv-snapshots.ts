// Snapshots in Workers KV. Owns its keys. KV has no compare-and-set, so a writer replaces only what it sees.

import type * as z from "zod";
import { NO_OUTAGE } from "../../budget/failure.ts";
import type { TenantId } from "../../budget/tenant.ts";
import { UNMANAGED } from "../../budget/tenant.ts";
import type { Snapshots } from "../../ports/edge.ts";
import type { Log, Ports } from "../../ports/ports.ts";
import type { CallerName } from "../../records/edge.ts";
import { isOfLaterRelease } from "../../wire/version.ts";
import { withBindingTimeout } from "./binding-timeout.ts";
import { BoundedMap } from "./bounded-map.ts";
import { changeOfConfig, changeOfDeletion, changeOfOwner, changeOfSpend, changeTo } from "./kv-changes.ts";
import { configValue, isSpendOf, keyValue, outageJson, outageNoteFrom, outageValue, spendValue } from "./kv-codec.ts";
import { CACHE_TTL_SECONDS, KV_TIMEOUT_MS, kindOf, newTurns, type Turns, writerInTurns } from "./kv-turns.ts";

/** How long KV keeps a key that was found through its team. Checks confirm the team every five minutes. */
const TEAM_KEY_SECONDS = 3_600;

/** How long a key or team of no tenant stays so: until then a tenant made of its team does not cover the key. */
const UNMANAGED_SECONDS = 300;

const OUTAGE_KEY = "outage:litellm";

const configKey = (tenantId: TenantId) => `config:${tenantId}`;
const spendKey = (tenantId: TenantId) => `spend:${tenantId}`;
const ownerKey = (caller: CallerName) => `tenant-of-key:${caller}`;

/** What the requests of an isolate share: plain data. */
export interface IsolateKv {
  readonly decoded: Decoded;
  readonly turns: Turns;
}

/**
 * What was decoded last of each key. Values are read far more often than they change, and decoding is half the work.
 */
type Decoded = Map<string, { readonly text: string; readonly value: unknown }>;

/** About eight thousand usual tenants. */
const DECODED_BYTES = 32_000_000;

/** Measured: a text and its value take two to two and a half times the text, and some objects. */
const bytesOfDecoded = (text: string): number => 500 + 3 * text.length;

export function newIsolateKv(): IsolateKv {
  return { decoded: new BoundedMap(DECODED_BYTES, ({ text }) => bytesOfDecoded(text)), turns: newTurns() };
}

/** `isolate` lives as long as the isolate, the rest as long as a request. */
export function kvSnapshots(
  kv: KVNamespace,
  isolate: IsolateKv,
  deps: Pick<Ports, "log" | "timers" | "clock" | "background">,
): Snapshots {
  const decode = decoderOf(isolate.decoded, deps.log);
  const write = writerInTurns(kv, isolate.turns, deps);
  const readOutage = async () => {
    const text = kv.get(OUTAGE_KEY, { type: "text", cacheTtl: CACHE_TTL_SECONDS });
    return decode(OUTAGE_KEY, await withBindingTimeout("kv", "read", KV_TIMEOUT_MS, text), outageValue);
  };

  return {
    // Every check makes these two reads and limits them by its own deadline, so they have no second timer here.
    async ownerOf(caller) {
      const key = ownerKey(caller);
      const value = decode(key, await kv.get(key, { type: "text", cacheTtl: CACHE_TTL_SECONDS }), keyValue);
      return value?.is_unmanaged === true ? UNMANAGED : ((value?.tenant_id ?? null) as TenantId | null);
    },

    async tenant(tenantId) {
      const keys = { config: configKey(tenantId), spend: spendKey(tenantId) };
      const texts = await kv.get([keys.config, keys.spend], { type: "text", cacheTtl: CACHE_TTL_SECONDS });
      const config = decode(keys.config, texts.get(keys.config), configValue);
      if (config === null || "deletedRevision" in config) return config ?? { config, spend: null };
      const spend = decode(keys.spend, texts.get(keys.spend), spendValue);
      return { config, spend: spend !== null && isSpendOf(config, spend) ? spend.record : null };
    },

    writeOwnerOf(caller, owner, options) {
      if (owner === UNMANAGED) {
        const value = { tenant_id: null, is_unmanaged: true };
        return write(ownerKey(caller), changeOfOwner(value, { expirationTtl: UNMANAGED_SECONDS }));
      }
      const lifetime = options?.expires === true ? { expirationTtl: TEAM_KEY_SECONDS } : {};
      return write(ownerKey(caller), changeOfOwner({ tenant_id: owner }, lifetime));
    },
    writeConfig: (config, options) =>
      write(configKey(config.tenantId), changeOfConfig(config, options?.isRewrite === true)),
    writeDeleted: (tenantId, revision, deletedAt, options) =>
      write(configKey(tenantId), changeOfDeletion(revision, deletedAt, options?.isRewrite === true)),
    writeSpend: (config, record) => write(spendKey(config.tenantId), changeOfSpend(config, record)),
    async outageNote() {
      const value = await readOutage();
      return value === null ? NO_OUTAGE : outageNoteFrom(value);
    },
    writeOutage: (note) => write(OUTAGE_KEY, changeTo(outageJson(note))),
    async ping() {
      await readOutage();
    },
  };
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
        log.warn("kv value of a later release", { kind: kindOf(key) });
        decoded.set(key, { text, value: null });
        return null;
      }
      const value = schema.parse(json);
      decoded.set(key, { text, value });
      return value;
    } catch (cause) {
      log.error("unparseable kv value", cause, { kind: kindOf(key) });
      return null;
    }
  };
}
