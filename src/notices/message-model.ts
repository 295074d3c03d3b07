// What a notice tells, once, for Slack and for e-mail: the words, the figures, whom it is about. Escapes nothing.

import type { Instant } from "../budget/tenant.ts";
import { type Standing, standingOf } from "./budget-snapshot.ts";
import type { Words } from "./copy/copy.ts";
import { TEST_WORDS, wordsOf } from "./copy/event-copy.ts";
import { platformFacts, platformWords } from "./copy/platform-copy.ts";
import { type Fact, factsOf, testFacts } from "./fields.ts";
import { instantText } from "./format.ts";
import type { Notice } from "./notice.ts";
import { oneLine, tenantLabel, type Who } from "./sanitize.ts";

export interface Telling extends Words {
  readonly who: Who | null;
  /** Null for an alert that is given the first time. */
  readonly repetition: string | null;
  /** Null when there are no figures. */
  readonly standing: Standing | null;
  readonly facts: readonly Fact[];
  /** When, and by which id the alert is found again. */
  readonly footer: string;
}

export function tellingOf(notice: Notice): Telling {
  if ("test" in notice) {
    const { test } = notice;
    const footer = footerOf(test.requestedAt, "test", test.id);
    return { ...TEST_WORDS, who: null, repetition: null, standing: null, facts: testFacts(test), footer };
  }
  if ("platformAlert" in notice) {
    const { platformAlert } = notice;
    const footer = footerOf(platformAlert.createdAt, "alert", platformAlert.id);
    const facts = platformFacts(platformAlert);
    return { ...platformWords(platformAlert), who: null, repetition: null, standing: null, facts, footer };
  }
  const { alert, tenantName } = notice;
  const standing = standingOf(notice);
  return {
    ...wordsOf(alert, standing),
    who: { name: tenantName === null ? null : oneLine(tenantName), id: oneLine(alert.tenantId) ?? "–" },
    repetition: alert.occurrence === 0 ? null : `Repetition ${alert.occurrence} of an alert that still stands.`,
    standing,
    facts: factsOf(alert, standing),
    footer: footerOf(alert.createdAt, "alert", alert.id),
  };
}

/** One line of at most `max` characters. What happened is never cut, only names are. */
export function headlineOf({ who, predicate }: Telling, max: number, encode?: (text: string) => string): string {
  if (who === null) return predicate;
  return `${tenantLabel(who, max - predicate.length - 1, encode)} ${predicate}`;
}

function footerOf(at: Instant, what: string, id: string): string {
  return `${instantText(at)} · ${what} ${id} · Bursar`;
}
