// The content of a notice, shared by every kind of channel that people read: one sentence, one bar, three numbers, one
// button. Escapes nothing.

import type { Instant } from "../budget/instant.ts";
import { type BarPart, barOf } from "./bar.ts";
import { type BudgetSnapshot, snapshotOf } from "./budget-snapshot.ts";
import type { Copy } from "./copy/copy.ts";
import { copyOf, TEST_COPY } from "./copy/event-copy.ts";
import { platformCopy, platformFacts } from "./copy/platform-copy.ts";
import { alertFacts, type Fact, type Numbers, numbersOf, testFacts } from "./facts.ts";
import { instantText } from "./format.ts";
import type { Notice } from "./notice.ts";
import { oneLine, type TenantName, tenantLabel } from "./sanitize.ts";

export interface Button {
  readonly label: string;
  readonly url: string;
}

/** What a notice shows of a tenant's budget. */
export interface Budget {
  readonly snapshot: BudgetSnapshot;
  readonly numbers: Numbers;
  readonly bar: readonly BarPart[] | null;
}

export interface MessageModel extends Copy {
  readonly tenant: TenantName | null;
  /** `2nd reminder`; null for an alert that is new, such as a crossing after a resolution. */
  readonly repetition: string | null;
  /** Null when the notice is not about a budget. */
  readonly budget: Budget | null;
  readonly facts: readonly Fact[];
  readonly button: Button | null;
  /** The instant of every number and date in the notice. */
  readonly at: Instant;
  /** The time and the id of the alert. */
  readonly footer: string;
}

/** `publicUrl`: where Bursar's pages are; null when the deployment does not say, and there is no button. */
export function messageModelOf(notice: Notice, publicUrl: string | null): MessageModel {
  const plain = { tenant: null, repetition: null, budget: null, button: null } as const;
  if ("test" in notice) {
    const { test } = notice;
    const at = test.requestedAt;
    return { ...TEST_COPY, ...plain, facts: testFacts(test), at, footer: footerOf(at, "test", test.id) };
  }
  if ("platformAlert" in notice) {
    const { platformAlert } = notice;
    const at = platformAlert.createdAt;
    const facts = platformFacts(platformAlert);
    return { ...platformCopy(platformAlert), ...plain, facts, at, footer: footerOf(at, "alert", platformAlert.id) };
  }
  const { alert, tenantName } = notice;
  const snapshot = snapshotOf(notice);
  const button = publicUrl === null ? null : { label: "Open tenant", url: tenantUrl(publicUrl, alert.tenantId) };
  const copy = copyOf(alert, snapshot);
  return {
    ...copy,
    // The page behind the button says what helps, and does it.
    advice: button === null ? copy.advice : null,
    tenant: { name: tenantName === null ? null : oneLine(tenantName), id: oneLine(alert.tenantId) ?? "–" },
    repetition: repetitionText(alert.repetition),
    budget: { snapshot, numbers: numbersOf(snapshot), bar: barOf(snapshot) },
    facts: alertFacts(alert, snapshot),
    button,
    at: alert.createdAt,
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

function repetitionText(repetition: number): string | null {
  return repetition === 0 ? null : `${ordinal(repetition)} reminder`;
}

/** `1st`, `2nd`, `3rd`, `4th`, `11th`, `21st`. */
function ordinal(count: number): string {
  const isTeen = Math.floor(count / 10) % 10 === 1;
  const suffix = isTeen ? undefined : ["th", "st", "nd", "rd"][count % 10];
  return `${count}${suffix ?? "th"}`;
}

function tenantUrl(publicUrl: string, tenantId: string): string {
  return `${publicUrl}/tenants/${encodeURIComponent(tenantId.toWellFormed())}`;
}

function footerOf(at: Instant, what: string, id: string): string {
  return `${instantText(at)} · ${what} ${id} · Bursar`;
}
