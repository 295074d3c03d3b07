// The content of a notice, shared by Slack and e-mail: copy, fields, tenant, footer. Escapes nothing.

import type { Instant } from "../budget/instant.ts";
import { type BudgetSnapshot, snapshotOf } from "./budget-snapshot.ts";
import type { Copy } from "./copy/copy.ts";
import { copyOf, TEST_COPY } from "./copy/event-copy.ts";
import { platformCopy, platformFields } from "./copy/platform-copy.ts";
import { type Field, fieldsOf, testFields } from "./fields.ts";
import { instantText } from "./format.ts";
import type { Notice } from "./notice.ts";
import { oneLine, type TenantName, tenantLabel } from "./sanitize.ts";

export interface MessageModel extends Copy {
  readonly tenant: TenantName | null;
  /** Null for the first announcement of an alert. */
  readonly repetition: string | null;
  /** Null when the notice is not about a budget. */
  readonly snapshot: BudgetSnapshot | null;
  readonly fields: readonly Field[];
  /** The time and the id of the alert. */
  readonly footer: string;
}

export function messageModelOf(notice: Notice): MessageModel {
  if ("test" in notice) {
    const { test } = notice;
    const footer = footerOf(test.requestedAt, "test", test.id);
    return { ...TEST_COPY, tenant: null, repetition: null, snapshot: null, fields: testFields(test), footer };
  }
  if ("platformAlert" in notice) {
    const { platformAlert } = notice;
    const footer = footerOf(platformAlert.createdAt, "alert", platformAlert.id);
    const fields = platformFields(platformAlert);
    return { ...platformCopy(platformAlert), tenant: null, repetition: null, snapshot: null, fields, footer };
  }
  const { alert, tenantName } = notice;
  const snapshot = snapshotOf(notice);
  return {
    ...copyOf(alert, snapshot),
    tenant: { name: tenantName === null ? null : oneLine(tenantName), id: oneLine(alert.tenantId) ?? "–" },
    repetition: alert.repetition === 0 ? null : `Reminder ${alert.repetition}: this alert is still active.`,
    snapshot,
    fields: fieldsOf(alert, snapshot),
    footer: footerOf(alert.createdAt, "alert", alert.id),
  };
}

/** One line of at most `max` characters. Cuts only names, never the predicate. */
export function headlineOf(
  { tenant, predicate }: MessageModel,
  max: number,
  encode?: (text: string) => string,
): string {
  if (tenant === null) return predicate;
  return `${tenantLabel(tenant, max - predicate.length - 1, encode)} ${predicate}`;
}

function footerOf(at: Instant, what: string, id: string): string {
  return `${instantText(at)} · ${what} ${id} · Bursar`;
}
