// The cursor of the list of tenants: opaque to callers, and of one order. Owns its format.

import type { TenantId } from "../budget/tenant.ts";
import type { TenantPosition, TenantSort } from "../records/tenant.ts";

const LETTER = { tenant_id: "i", "-used_percent": "u" } as const satisfies Record<TenantSort, string>;

/** The greatest `used` is ten digits, and -1 stands for none. */
const CURSOR = /^([iu])\.(-1|\d{1,10})\.([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;

const MAX_USED = 2_147_483_647;

export function tenantCursorOf(sort: TenantSort, { tenantId, used }: TenantPosition): string {
  return btoa(`${LETTER[sort]}.${used}.${tenantId}`).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
}

/** Null when it is malformed, or the cursor of another order. */
export function tenantPositionOf(sort: TenantSort, cursor: string): TenantPosition | null {
  const [, letter, used, tenantId] = CURSOR.exec(textOf(cursor)) ?? [];
  if (letter !== LETTER[sort] || tenantId === undefined || Number(used) > MAX_USED) return null;
  return { tenantId: tenantId as TenantId, used: Number(used) };
}

function textOf(cursor: string): string {
  return /^[A-Za-z0-9_-]+$/.test(cursor) && cursor.length % 4 !== 1
    ? atob(cursor.replaceAll("-", "+").replaceAll("_", "/"))
    : "";
}
