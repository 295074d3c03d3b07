// The numbers of a notice and its remaining facts, as text, the same for every kind of channel. Each fact is in one
// place of a notice only: what the sentence says comes here no more.

import type { Instant } from "../budget/instant.ts";
import { decimalFromNanoUsd, type NanoUsd } from "../budget/money.ts";
import type { AlertRecord } from "../records/alert.ts";
import type { BudgetSnapshot } from "./budget-snapshot.ts";
import { dateOf, textOf } from "./detail.ts";
import { instantText, percent } from "./format.ts";
import type { TestNotice } from "./notice.ts";
import { cut, oneLine } from "./sanitize.ts";

export interface Fact {
  readonly label: string;
  /** One line, not escaped; may come from outside. */
  readonly value: string;
}

/** What a notice shows of a budget. */
export interface Numbers {
  /** Spent, limit, and what is left or over. */
  readonly amounts: readonly [Fact, Fact, Fact];
  /** `Blocks at $550.00 (110 %)`; null when there is no such amount. */
  readonly blocks: string | null;
  /** `Resets 1 December 2026, 00:00 UTC`. */
  readonly resets: string;
}

/** Real names of channels and tenants are shorter. */
const MAX_NAME = 120;

const CENT_DECIMALS = 2;
const NANO_DECIMALS = 9;

export function numbersOf(snapshot: BudgetSnapshot): Numbers {
  const { limitNanoUsd, block, observes } = snapshot;
  const unit = unitOf(snapshot);
  // Rounded down once, so that the amounts add up, and a spend below a threshold never shows as the threshold.
  const spend = (snapshot.spendNanoUsd / unit) * unit;
  const rest = limitNanoUsd - spend;
  return {
    amounts: [
      { label: "Spent", value: amountText(spend) },
      { label: "Limit", value: amountText(limitNanoUsd) },
      rest < 0n ? { label: "Over", value: amountText(-rest) } : { label: "Left", value: amountText(rest) },
    ],
    blocks:
      block === null || limitNanoUsd === 0n
        ? null
        : `${observes ? "Would block" : "Blocks"} at ${amountText(block.atNanoUsd)} (${percent(block.threshold)})`,
    resets: resetText(snapshot),
  };
}

/** The unit in which every amount is whole: cents, or less for a limit with more decimals or a spend below a cent. */
function unitOf({ spendNanoUsd, limitNanoUsd, block }: BudgetSnapshot): NanoUsd {
  const cent = 10n ** BigInt(NANO_DECIMALS - CENT_DECIMALS);
  if (spendNanoUsd > 0n && spendNanoUsd < cent) return 1n;
  let unit = cent;
  while (limitNanoUsd % unit !== 0n || (block?.atNanoUsd ?? 0n) % unit !== 0n) unit /= 10n;
  return unit;
}

/** `$412.50`, and `$366.663` for an amount with more decimals; never rounded. */
export function amountText(amount: NanoUsd): string {
  const [whole = "", fraction = ""] = decimalFromNanoUsd(amount).split(".");
  return `$${whole}.${fraction.padEnd(CENT_DECIMALS, "0")}`;
}

/** LiteLLM may reset a budget later than it announced. */
function resetText({ resetsAt, at }: BudgetSnapshot): string {
  if (resetsAt === null) return "Never resets";
  return `${resetsAt > at ? "Resets" : "Reset was due"} ${instantText(resetsAt)}`;
}

/** The facts about a tenant that neither the sentence nor the numbers have. */
export function alertFacts({ eventType, detail }: AlertRecord, { at, overrideNanoUsd }: BudgetSnapshot): Fact[] {
  const text = (label: string, field: string) => optionalFact(label, textOf(detail, field));
  switch (eventType) {
    case "override_granted":
      return [...text("Granted by", "granted_by"), ...text("Reason", "reason")];
    case "override_ended": {
      const ended = pastDate(dateOf(detail, "revoked_at") ?? dateOf(detail, "expires_at"), at);
      return [
        ...optionalFact("Ended", ended === null ? null : instantText(ended)),
        ...revokerOrGranter(text("Revoked by", "revoked_by"), text("Granted by", "granted_by")),
        ...text("Reason", "reason"),
      ];
    }
    default:
      return overrideNanoUsd === 0n ? [] : [{ label: "Overrides included", value: amountText(overrideNanoUsd) }];
  }
}

export function testFacts({ channelName, tenantId }: TestNotice["test"]): Fact[] {
  const scope = tenantId === null ? "the whole platform" : `tenant ${cut(oneLine(tenantId) ?? "–", MAX_NAME)}`;
  return [
    { label: "Channel", value: cut(oneLine(channelName) ?? "–", MAX_NAME) },
    { label: "Notices about", value: scope },
  ];
}

/** Null for a date that is still to come at the instant of the notice. */
export function pastDate(date: Instant | null, at: Instant): Instant | null {
  return date !== null && date <= at ? date : null;
}

/** Null for a date that has passed at the instant of the notice. */
export function futureDate(date: Instant | null, at: Instant): Instant | null {
  return date !== null && date > at ? date : null;
}

/** The one who revoked the override matters more. */
function revokerOrGranter(revokedBy: Fact[], grantedBy: Fact[]): Fact[] {
  return revokedBy.length > 0 ? revokedBy : grantedBy;
}

function optionalFact(label: string, value: string | null): Fact[] {
  return value === null ? [] : [{ label, value }];
}
