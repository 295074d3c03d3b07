// Renders a plan as a table for people and as JSON for programs. Shows only the beginning of a key's hash.

import Table from "cli-table3";
import { type Instant, iso } from "../../src/budget/instant.ts";
import { dollars, type NanoUsd, usdNumber } from "../../src/budget/money.ts";
import type { LiteLlmFields } from "../../src/records/litellm-row.ts";
import type { Outcome } from "./apply.ts";
import type { AdoptOptions } from "./options.ts";
import { type PlanRow, shortSubject } from "./plan.ts";

const PLAIN = { style: { head: [], border: [], compact: true } };

export function planText(rows: readonly PlanRow[], { enforcement }: Pick<AdoptOptions, "enforcement">): string {
  const adopted = rows.filter(({ decision }) => decision.kind === "adopt");
  const parts = [
    adopted.length > 0 ? adoptionTable(adopted) : null,
    reasons(
      "Skipped",
      rows.filter(({ decision }) => decision.kind === "skip"),
    ),
    reasons(
      "Conflicts to resolve first",
      rows.filter(({ decision }) => decision.kind === "refuse"),
    ),
    `${counted(rows)} Enforcement: ${enforcement}.`,
    adopted.length > 0 ? "Bursar adds `tenant_id` to the LiteLLM metadata of each, and keeps the rest of it." : null,
  ];
  return parts.filter((part) => part !== null).join("\n\n");
}

function adoptionTable(rows: readonly PlanRow[]): string {
  const table = new Table({
    ...PLAIN,
    head: [
      "tenant",
      "LiteLLM",
      "budget",
      "soft",
      "duration",
      "spend",
      "resets",
      "alerts at",
      "limit",
      "blocks at",
      "changes in LiteLLM",
    ],
  });
  for (const { candidate, tenantId, decision } of rows) {
    const { reading } = candidate;
    if (decision.kind !== "adopt" || reading === null) continue;
    const { tenant, limit, changes } = decision;
    const mayBlock = tenant.enforcement === "observe" ? "would: " : "";
    table.push([
      tenantId ?? "",
      printable(shortSubject(candidate)),
      money(reading.maxBudgetNanoUsd),
      money(reading.softBudgetNanoUsd),
      durationText(reading.budgetDuration, tenant.budgetDuration),
      money(reading.spendNanoUsd),
      day(reading.resetsAt),
      dollars(limit.alertsAtNanoUsd),
      dollars(limit.limitNanoUsd),
      mayBlock + dollars(limit.blocksAtNanoUsd),
      changesText(changes),
    ]);
  }
  return table.toString();
}

function reasons(title: string, rows: readonly PlanRow[]): string | null {
  if (rows.length === 0) return null;
  const table = new Table({ ...PLAIN, head: [`${title} (${rows.length})`, "why"] });
  for (const { candidate, decision } of rows) {
    if (decision.kind !== "adopt") table.push([printable(shortSubject(candidate)), printable(decision.why)]);
  }
  return table.toString();
}

export function counted(rows: readonly PlanRow[]): string {
  const count = (kind: string) => rows.filter(({ decision }) => decision.kind === kind).length;
  const refused = count("refuse");
  const conflicts = refused === 0 ? "" : `, ${refused} with conflicts`;
  return `${count("adopt")} to adopt, ${count("skip")} skipped${conflicts}.`;
}

/** Replaces line breaks and escape sequences, so that LiteLLM's names cannot control the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\u2028\u2029]+/gu, "�").slice(0, 200);
}

function changesText({ metadata: _, ...changes }: Partial<LiteLlmFields>): string {
  const lines = [
    ...(changes.maxBudgetNanoUsd === undefined ? [] : [`max_budget → ${money(changes.maxBudgetNanoUsd)}`]),
    ...(changes.softBudgetNanoUsd === undefined ? [] : [`soft_budget → ${money(changes.softBudgetNanoUsd)}`]),
    ...(changes.budgetDuration === undefined ? [] : [`budget_duration → ${changes.budgetDuration}`]),
  ];
  return lines.length === 0 ? "nothing" : lines.join("\n");
}

const money = (amount: NanoUsd | null): string => (amount === null ? "–" : dollars(amount));
const day = (instant: Instant | null): string => iso(instant)?.slice(0, 10) ?? "never";
const durationText = (litellm: string | null, bursar: string | null): string =>
  litellm === bursar ? (bursar ?? "–") : `${printable(litellm ?? "–")} (Bursar: ${bursar})`;

export function planJson(rows: readonly PlanRow[], outcomes: ReadonlyMap<PlanRow, Outcome> = new Map()) {
  return rows.map((row) => {
    const { candidate, tenantId, decision } = row;
    const { subject, alias, reading } = candidate;
    const outcome = outcomes.get(row);
    return {
      tenant_id: tenantId,
      action: decision.kind,
      why: decision.kind === "adopt" ? null : decision.why,
      subject: { kind: subject.kind, id: subject.kind === "key" ? `${subject.id.slice(0, 12)}…` : subject.id },
      alias,
      litellm: reading && {
        max_budget: usd(reading.maxBudgetNanoUsd),
        soft_budget: usd(reading.softBudgetNanoUsd),
        budget_duration: reading.budgetDuration,
        budget_reset_at: iso(reading.resetsAt),
        spend: usd(reading.spendNanoUsd),
      },
      ...(decision.kind === "adopt" && {
        bursar: {
          enforcement: decision.tenant.enforcement,
          max_budget: usd(decision.limit.limitNanoUsd),
          alerts_at: usd(decision.limit.alertsAtNanoUsd),
          blocks_at: usd(decision.limit.blocksAtNanoUsd),
          budget_duration: decision.tenant.budgetDuration,
        },
        litellm_changes: changesJson(decision.changes),
      }),
      ...(outcome !== undefined && { outcome: outcome.kind, ...(outcome.kind === "failed" && { error: outcome.why }) }),
    };
  });
}

function changesJson({ metadata: _, ...changes }: Partial<LiteLlmFields>) {
  return {
    ...(changes.maxBudgetNanoUsd !== undefined && { max_budget: usd(changes.maxBudgetNanoUsd) }),
    ...(changes.softBudgetNanoUsd !== undefined && { soft_budget: usd(changes.softBudgetNanoUsd) }),
    ...(changes.budgetDuration !== undefined && { budget_duration: changes.budgetDuration }),
  };
}

const usd = (amount: NanoUsd | null): number | null => (amount === null ? null : usdNumber(amount));
