// What a notice tells, once, for Slack and for e-mail: the words, the figures, whom it is about. Escapes nothing.

import type { Instant } from "../budget/tenant.ts";
import { type BudgetSnapshot, snapshotOf } from "./budget-snapshot.ts";
import type { Copy } from "./copy/copy.ts";
import { copyOf, TEST_WORDS } from "./copy/event-copy.ts";
import { platformCopy, platformFields } from "./copy/platform-copy.ts";
import { type Field, fieldsOf, testFields } from "./fields.ts";
import { instantText } from "./format.ts";
import type { Notice } from "./notice.ts";
import { oneLine, tenantLabel, type Who } from "./sanitize.ts";

export interface MessageModel extends Copy {
  readonly who: Who | null;
  /** Null for an alert that is given the first time. */
  readonly repetition: string | null;
  /** Null when there are no figures. */
  readonly snapshot: BudgetSnapshot | null;
  readonly fields: readonly Field[];
  /** When, and by which id the alert is found again. */
  readonly footer: string;
}

export function messageModelOf(notice: Notice): MessageModel {
  if ("test" in notice) {
    const { test } = notice;
    const footer = footerOf(test.requestedAt, "test", test.id);
    return { ...TEST_WORDS, who: null, repetition: null, snapshot: null, fields: testFields(test), footer };
  }
  if ("platformAlert" in notice) {
    const { platformAlert } = notice;
    const footer = footerOf(platformAlert.createdAt, "alert", platformAlert.id);
    const fields = platformFields(platformAlert);
    return { ...platformCopy(platformAlert), who: null, repetition: null, snapshot: null, fields, footer };
  }
  const { alert, tenantName } = notice;
  const snapshot = snapshotOf(notice);
  return {
    ...copyOf(alert, snapshot),
    who: { name: tenantName === null ? null : oneLine(tenantName), id: oneLine(alert.tenantId) ?? "–" },
    repetition: alert.occurrence === 0 ? null : `Repetition ${alert.occurrence} of an alert that still stands.`,
    snapshot,
    fields: fieldsOf(alert, snapshot),
    footer: footerOf(alert.createdAt, "alert", alert.id),
  };
}

/** One line of at most `max` characters. What happened is never cut, only names are. */
export function headlineOf({ who, predicate }: MessageModel, max: number, encode?: (text: string) => string): string {
  if (who === null) return predicate;
  return `${tenantLabel(who, max - predicate.length - 1, encode)} ${predicate}`;
}

function footerOf(at: Instant, what: string, id: string): string {
  return `${instantText(at)} · ${what} ${id} · Bursar`;
}
