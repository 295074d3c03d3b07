// Decides for each of LiteLLM's keys and teams whether to adopt it, to skip it or to report a conflict. Pure. Computes
// the tenants with the same flows that Bursar adopts with, so that the plan matches the result.

import type { Instant } from "../../src/budget/instant.ts";
import { type Limit, limitAt } from "../../src/budget/limit.ts";
import type { TenantConfig, TenantId } from "../../src/budget/tenant.ts";
import { fieldsToSend } from "../../src/flows/litellm/desired-state.ts";
import { presentMark } from "../../src/flows/litellm/mark.ts";
import { adoptionOf } from "../../src/flows/tenants/plan-adoption.ts";
import type { LiteLlmFields, LiteLlmRow } from "../../src/records/litellm-row.ts";
import type { NewTenant, TenantRecord } from "../../src/records/tenant.ts";
import { type KnownTenants, subjectName } from "./bursar-admin.ts";
import type { Candidate } from "./litellm-subjects.ts";
import type { AdoptOptions } from "./options.ts";
import { tenantIdOf } from "./tenant-ids.ts";

export interface PlanRow {
  readonly candidate: Candidate;
  /** Null when the candidate lacks the field that ids are taken from. */
  readonly tenantId: string | null;
  readonly decision: Decision;
}

/** A row whose candidate will become a tenant. */
export type Adoption = PlanRow & { readonly tenantId: string };

export type Decision =
  | {
      readonly kind: "adopt";
      readonly tenant: NewTenant;
      readonly limit: Limit;
      /** The fields that Bursar would write to LiteLLM at once. They always include the metadata. */
      readonly changes: Partial<LiteLlmFields>;
    }
  /** The candidate needs no tenant, or cannot be one. */
  | { readonly kind: "skip"; readonly why: string }
  /** Bursar would refuse the tenant: the operator has to change the tenant or LiteLLM first. */
  | { readonly kind: "refuse"; readonly why: string };

export interface PlanInput {
  readonly teams: readonly Candidate[];
  readonly keys: readonly Candidate[];
  readonly tenants: KnownTenants;
  readonly masterKeyHash: string;
  readonly options: AdoptOptions;
  readonly now: Instant;
}

/** The team of the keys that LiteLLM's dashboard creates, one for each of its sessions. */
const DASHBOARD_TEAM = "litellm-dashboard";

/** In LiteLLM's order, teams first. */
export function planAll(input: PlanInput): PlanRow[] {
  const { options } = input;
  const wanted = [...(options.includesTeams ? input.teams : []), ...(options.includesKeys ? input.keys : [])];
  const named = wanted
    .map((candidate) => ({ candidate, tenantId: tenantIdOf(candidate, options.naming, input.teams) }))
    .filter(({ candidate, tenantId }) => isWanted(options.only, [tenantId, candidate.alias]));
  const rows = named.map((each) => ({ ...each, decision: decide(each.candidate, each.tenantId, input) }));
  return refuseCollisions(rows, input.tenants);
}

/** The rows to adopt. */
export function adoptionsIn(rows: readonly PlanRow[]): Adoption[] {
  return rows.filter((row): row is Adoption => row.decision.kind === "adopt" && row.tenantId !== null);
}

function decide(candidate: Candidate, tenantId: string | null, input: PlanInput): Decision {
  const { tenants, options, now } = input;
  const { subject, reading } = candidate;
  const existing = tenants.bySubject.get(subjectName(subject));
  if (existing !== undefined) return { kind: "skip", why: `is already tenant ${existing}` };
  const obstacle = obstacleTo(candidate, input);
  if (obstacle !== null) return { kind: "skip", why: obstacle };
  if (tenantId === null) return { kind: "skip", why: "lacks the field for its tenant id: choose another --tenant-id" };
  if (reading === null) return { kind: "skip", why: "LiteLLM's row cannot be parsed" };
  const settings = { enforcement: options.enforcement };
  const adoption = adoptionOf({ tenantId: tenantId as TenantId, settings, now }, reading.subject, reading);
  if (!adoption.ok) return { kind: "skip", why: "has no max_budget" };
  const tenant = adoption.value;
  const config = configOf(tenant);
  return { kind: "adopt", tenant, limit: limitAt(config, now), changes: changesFor(tenant, config, reading, now) };
}

function obstacleTo(candidate: Candidate, input: PlanInput): string | null {
  const { subject, teamId, reading } = candidate;
  if (teamId === DASHBOARD_TEAM || subject.id === DASHBOARD_TEAM) return "belongs to LiteLLM's dashboard";
  if (subject.id === input.masterKeyHash) return "is the master key";
  if (candidate.isBlocked) return "is blocked in LiteLLM";
  if (candidate.expiresAt !== null && candidate.expiresAt <= input.now) return "has expired";
  const team = input.options.includesKeysOfTeams ? null : budgetedTeam(teamId, input);
  if (team !== null) return `belongs to its team ${team}: --keys-of-teams adopts the key as well`;
  return reading !== null && reading.maxBudgetNanoUsd === null ? "has no max_budget" : null;
}

/** The key's team if it is or could become a tenant. The team's budget then binds the key too. */
function budgetedTeam(teamId: string | null, { teams, tenants }: PlanInput): string | null {
  const team = teams.find(({ subject }) => subject.id === teamId);
  if (teamId === null || team === undefined) return null;
  const isTenant = tenants.bySubject.has(subjectName(team.subject));
  const hasBudget = !team.isBlocked && (team.reading?.maxBudgetNanoUsd ?? null) !== null;
  return isTenant || hasBudget ? (team.alias ?? teamId) : null;
}

function configOf(tenant: NewTenant): TenantConfig {
  const unchanged = {
    suspendedAt: null,
    subjectMissingAt: null,
    litellmBlockedAt: null,
    overrides: [],
    endedOverrides: 0,
    createdAt: null,
    otherKeys: [],
    carriedNanoUsd: 0n,
  };
  return { ...tenant, ...unchanged, litellmKeyLastReset: null, configVersion: 1, revision: 1 };
}

function changesFor(
  { adopted, priorValues, enforcement }: NewTenant,
  config: TenantConfig,
  reading: LiteLlmRow,
  now: Instant,
): Partial<LiteLlmFields> {
  const sync = { status: "pending", error: null, since: now, budgetId: null } as const;
  const record: TenantRecord = {
    config,
    spend: null,
    settingsVersion: 1,
    metadata: {},
    sync: { ...sync, hasSetLimits: enforcement === "enforce", hasBlocked: false },
    adopted,
    priorValues,
    encryptedKey: null,
    markNonce: null,
    periodSeenAt: null,
    deletedAt: null,
    createdAt: now,
    updatedAt: now,
  };
  return fieldsToSend(record, reading, presentMark(record, reading), now).fields;
}

/** Refuses candidates with the same tenant id, and candidates whose tenant id is taken. */
function refuseCollisions(rows: readonly PlanRow[], { byId }: KnownTenants): PlanRow[] {
  const named = Map.groupBy(
    rows.filter(({ decision }) => decision.kind === "adopt"),
    ({ tenantId }) => tenantId,
  );
  return rows.map((row) => {
    if (row.decision.kind !== "adopt" || row.tenantId === null) return row;
    const others = (named.get(row.tenantId) ?? []).filter((other) => other !== row);
    const taken = byId.has(row.tenantId) ? ["another tenant"] : [];
    const names = [...others.map(({ candidate }) => shortSubject(candidate)), ...taken];
    if (names.length === 0) return row;
    return { ...row, decision: { kind: "refuse", why: `has the same tenant id as ${names.slice(0, 3).join(", ")}` } };
  });
}

/** The subject's name for the operator: a key by the beginning of its hash, and the alias if there is one. */
export function shortSubject({ subject, alias }: Candidate): string {
  const id = subject.kind === "key" ? `${subject.id.slice(0, 12)}…` : subject.id;
  return alias === null ? `${subject.kind} ${id}` : `${subject.kind} ${alias} (${id})`;
}

function isWanted(only: string | null, texts: readonly (string | null)[]): boolean {
  if (only === null) return true;
  const pattern = new RegExp(`^${only.split("*").map(RegExp.escape).join(".*")}$`, "su");
  return texts.some((text) => text !== null && pattern.test(text));
}
