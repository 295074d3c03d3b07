// Reads rows one by one, so that a row that cannot be read does not fail the others. Runs no statement.

import type { TenantId } from "../../budget/tenant.ts";
import type { OnTenantFault } from "../../records/tenant.ts";
import type { Row } from "./client.ts";

/** Hands rows that `read` refuses to `onUnreadable` and leaves them out. @throws the first of them without it. */
export function readEach<R, T>(
  rows: readonly R[],
  read: (row: R) => T,
  onUnreadable?: (row: R, cause: unknown) => void,
): T[] {
  return rows.flatMap((row) => {
    try {
      return [read(row)];
    } catch (cause) {
      if (onUnreadable === undefined) throw cause;
      onUnreadable(row, cause);
      return [];
    }
  });
}

/** As `readEach`, of rows that have their tenant as `tenant_id`. */
export function readEachTenant<T>(rows: readonly Row[], read: (row: Row) => T, onFault?: OnTenantFault): T[] {
  const onUnreadable =
    onFault && ((row: Row, cause: unknown) => onFault({ tenantId: row["tenant_id"] as TenantId, cause }));
  return readEach(rows, read, onUnreadable);
}
