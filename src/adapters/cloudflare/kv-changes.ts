// What a write changes in KV. Pure: from the text that KV shows to the text to write, or null to leave it. A writer
// never replaces a higher version that it sees, and never writes an equal one, except in a rewrite.

import type * as z from "zod";
import type { Instant } from "../../budget/instant.ts";
import { joinRecords, type SpendRecord } from "../../budget/spend.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import { isOfLaterRelease, versioned } from "../../wire/version.ts";
import { configJson, configValue, isSpendOf, keyValue, revisionValue, spendJson, spendValue } from "./kv-codec.ts";
import type { Change } from "./kv-turns.ts";

/** A config or a tombstone. At the same revision the tombstone is the later one. */
interface Version {
  readonly revision: number;
  readonly isDeleted: boolean;
}

export function changeOfConfig(config: TenantConfig, isRewrite: boolean): Change {
  const text = textOf(configJson(config));
  return (present) =>
    mayReplace(present, { revision: config.revision, isDeleted: false }, isRewrite) ? { text } : null;
}

export function changeOfDeletion(revision: number, deletedAt: Instant, isRewrite: boolean): Change {
  const text = textOf({ deleted: true, revision, deleted_at: deletedAt });
  return (present) => (mayReplace(present, { revision, isDeleted: true }, isRewrite) ? { text } : null);
}

/** Joins with the spend in KV, unless that is of another tenant. */
export function changeOfSpend(config: TenantConfig, record: SpendRecord): Change {
  return (present) => {
    const known = parsed(present, spendValue);
    const own = known !== null && isSpendOf(config, known) ? joinRecords(known.record, record) : record;
    const text = textOf(spendJson(config, own));
    return text === present ? null : { text };
  };
}

/** For a value without versions: the last writer wins. */
export function changeTo(value: object, options: KVNamespacePutOptions = {}): Change {
  const text = textOf(value);
  return (present) => (text === present ? null : { text, options });
}

/** For the owner of a caller. That it is unmanaged replaces no tenant: a search may end after the tenant was made. */
export function changeOfOwner(value: z.input<typeof keyValue>, options: KVNamespacePutOptions = {}): Change {
  const change = changeTo(value, options);
  return (present) => {
    const known = parsed(present, keyValue);
    return value.is_unmanaged === true && known !== null && known.tenant_id !== null ? null : change(present);
  };
}

const textOf = (value: object): string => JSON.stringify(versioned(value));

/**
 * A rewrite writes the same version again: what KV shows may be a colo's copy from before a slower writer put an older
 * version into its place.
 */
function mayReplace(present: string | null, next: Version, isRewrite: boolean): boolean {
  const revision = revisionIn(present);
  if (revision !== next.revision) return revision < next.revision;
  const known = parsed(present, configValue);
  // An equal revision that this release cannot read would be of no use to it.
  if (known === null) return true;
  const isDeleted = "deletedRevision" in known;
  return isDeleted === next.isDeleted ? isRewrite : next.isDeleted;
}

/** Every release keeps `revision` where this one does. -1 when there is none: any config may replace it. */
function revisionIn(text: string | null): number {
  const read = revisionValue.safeParse(jsonIn(text));
  return read.success ? read.data.revision : -1;
}

/** Null when there is no value, or none that this release can read. */
function parsed<T>(text: string | null, schema: z.ZodType<T>): T | null {
  const json = jsonIn(text);
  if (isOfLaterRelease(json)) return null;
  const read = schema.safeParse(json);
  return read.success ? read.data : null;
}

function jsonIn(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
