// LiteLLM's reports of one day, in stages. Each stage stays within one band of the limit, because Bursar announces only
// the highest of several thresholds crossed at once. A seed determines the traffic. Sends nothing.

import type { Instant } from "../../src/budget/instant.ts";
import { decimalFromNanoUsd, partOf } from "../../src/budget/money.ts";
import type { KeyHash, Subject } from "../../src/budget/tenant.ts";
import type { SpendMessage } from "../../src/ports/messages.ts";
import { largest, MINUTE, NOW, SECOND, usd } from "../budget/builders.ts";
import { countFrom } from "../support/builders/count-from.ts";
import type { SeededRandom } from "../support/builders/seeded-random.ts";
import { aCall, aWebhook } from "../support/builders/spend-messages.ts";
import { sha256 } from "../support/builders/virtual-key.ts";

/** `npm run test:long` sends 10,000. */
export const REPORTS = countFrom("SOAK_REPORTS", 400);
/** Few enough that each tenant gets enough reports for its alerts. */
export const TENANTS = Math.min(50, REPORTS / 40);

/** Basis points of the limit around each stage's spend: below every threshold, and past 80, 100 and 110 percent. */
const BANDS = [
  [4_000, 7_999],
  [8_000, 9_999],
  [10_000, 10_999],
  [11_000, 12_500],
] as const;

/**
 * Longer than any retry, so that a stage is over before the next begins, and longer than the hour after which Bursar
 * announces an alert again that LiteLLM repeats.
 */
const STAGE_MS = 6 * 60 * MINUTE;

/** A stage's reports arrive in waves, half a minute apart. */
const WAVES = 3;
const WAVE_MS = 30 * SECOND;

export interface SoakTenant {
  readonly name: string;
  readonly subject: Subject;
  readonly keyHash: KeyHash;
  readonly limitNanoUsd: bigint;
  /** Index of the last band that its spend reaches. */
  readonly reaches: number;
  /** Only stock webhooks, which are hints, report its spend, so Bursar gets all spend from reads. */
  readonly isHintedOnly: boolean;
  /** A single report announces each of its crossings, so losing that report loses an alert. */
  readonly isQuiet: boolean;
  /** The spend when the tenant was adopted; null for a tenant that was not adopted. */
  readonly adoptedAtNanoUsd: bigint | null;
}

export interface Report {
  readonly body: SpendMessage;
  readonly dueAt: Instant;
  readonly isOnce: boolean;
}

export interface Stage {
  readonly startsAt: Instant;
  /** In the order in which they arrive. */
  readonly reports: readonly Report[];
  /** LiteLLM's spend of each subject at the end of the stage. */
  readonly truth: ReadonlyMap<string, bigint>;
}

export interface Traffic {
  readonly tenants: readonly SoakTenant[];
  readonly stages: readonly Stage[];
}

export function makeTraffic(random: SeededRandom): Traffic {
  const tenants = Array.from({ length: TENANTS }, (_, index) => makeTenant(index));
  // In the last stage LiteLLM repeats its reports, hours later.
  const stages = [...BANDS.keys(), BANDS.length].map((number) => tenants.filter((each) => isIn(each, number)));
  const quiet = stages.flat().filter(({ isQuiet }) => isQuiet).length;
  const shares = sharesOf(REPORTS - quiet, stages.flat().length - quiet);
  const truth = new Map(tenants.map((each) => [each.subject.id, each.adoptedAtNanoUsd ?? 0n]));
  const sent: SpendMessage[] = [];
  return {
    tenants,
    stages: stages.map((members, number): Stage => {
      const startsAt = NOW + number * STAGE_MS;
      const reports = members.flatMap((tenant) => {
        const { isQuiet } = tenant;
        const observations = numbersOf(tenant, number, isQuiet ? 1 : (shares.next().value ?? 0), truth, random);
        return observations.map((observation): Report => {
          const dueAt = startsAt + random.below(WAVES) * WAVE_MS;
          const isStale = !isQuiet && sent.length > 0 && random.chance(0.1);
          const body = isStale ? random.pick(sent) : reportOf(tenant, number, observation, dueAt, random);
          return { body: isStale ? body : withId(body, random), dueAt, isOnce: isQuiet };
        });
      });
      sent.push(...reports.filter(({ isOnce }) => !isOnce).map(({ body }) => body));
      return { startsAt, reports: reports.toSorted((a, b) => a.dueAt - b.dueAt), truth: new Map(truth) };
    }),
  };
}

/** Most signed webhooks have an id, which their copies share. */
function withId(body: SpendMessage, random: SeededRandom): SpendMessage {
  const hasOne = body.kind === "webhook" && body.door === "signed" && random.chance(0.7);
  return hasOne ? { ...body, webhook_id: `msg_${random.below(2 ** 48)}` } : body;
}

/** Copies each report up to twice, with a random wave for each copy, and shuffles all. Quiet tenants get no copies. */
export function disturbed({ reports, startsAt }: Stage, random: SeededRandom): Report[] {
  const copies = reports.flatMap((report) =>
    Array.from({ length: report.isOnce ? 1 : 1 + random.below(3) }, (_, copy) => ({
      ...report,
      dueAt: copy === 0 ? report.dueAt : startsAt + random.below(WAVES) * WAVE_MS,
    })),
  );
  return random.shuffled(copies);
}

function makeTenant(index: number): SoakTenant {
  const name = `soak-${String(index).padStart(2, "0")}`;
  const keyHash = sha256(name);
  const limitNanoUsd = [usd("500"), usd("20"), usd("12345.67")][index % 3] ?? 0n;
  return {
    name,
    keyHash,
    subject: index % 10 === 7 ? { kind: "team", id: `team-of-${name}` } : { kind: "key", id: keyHash },
    limitNanoUsd,
    reaches: index % BANDS.length,
    isHintedOnly: index % 5 === 3 && index < 30,
    isQuiet: index % 8 === 6,
    adoptedAtNanoUsd: index % 10 === 5 ? partOf(limitNanoUsd, 8_500n) : null,
  };
}

function isIn({ reaches }: SoakTenant, stage: number): boolean {
  return stage <= reaches || stage === BANDS.length;
}

/** Divides `reports` evenly into `parts`. */
function* sharesOf(reports: number, parts: number): Generator<number, undefined> {
  for (let part = 0; part < parts; part++) {
    yield Math.floor(((part + 1) * reports) / parts) - Math.floor((part * reports) / parts);
  }
}

/** Spend within the stage's band, beginning with its lower end. In the last stage the true spend. Updates `truth`. */
function numbersOf(
  { subject, limitNanoUsd }: SoakTenant,
  stage: number,
  count: number,
  truth: Map<string, bigint>,
  random: SeededRandom,
): bigint[] {
  const known = truth.get(subject.id) ?? 0n;
  const [low, high] = BANDS[stage] ?? [];
  if (low === undefined || high === undefined) return Array.from({ length: count }, () => known);
  const any = () => partOf(limitNanoUsd, BigInt(low + random.below(high - low))) + BigInt(random.below(1_000));
  const observations = Array.from({ length: count }, (_, at) => (at === 0 ? partOf(limitNanoUsd, BigInt(low)) : any()));
  truth.set(subject.id, largest([known, ...observations]));
  return observations;
}

function reportOf(
  tenant: SoakTenant,
  stage: number,
  observation: bigint,
  at: Instant,
  random: SeededRandom,
): SpendMessage {
  const { subject, keyHash, isHintedOnly, isQuiet } = tenant;
  const spend = decimalFromNanoUsd(observation);
  const group = { event_group: subject.kind, team_id: subject.kind === "team" ? subject.id : null };
  const webhook = (text: string | null, differences: object) =>
    aWebhook(keyHash, text, { ...group, sent_at: at, received_at: at, ...differences });
  const cost = webhook("0.0012", { event: "spend_tracked", event_group: "end_user" });
  if (isHintedOnly)
    return random.chance(0.3) ? cost : webhook(null, { auth: "url_token", event: hintOf(tenant, stage) });
  if (isQuiet) return webhook(spend, { event: "threshold_crossed" });
  const kind = random.next();
  if (kind < 0.03) return cost;
  if (kind < 0.35)
    return aCall(keyHash, null, { endedAt: at, ...(group.team_id !== null && { teamId: group.team_id }) });
  if (kind < 0.38) return webhook(null, { auth: "url_token", event: "threshold_crossed" });
  if (stage === 1 && kind < 0.45) return webhook(spend, { event: "projected_limit_exceeded" });
  return webhook(spend, { event: random.pick(["soft_budget_crossed", "threshold_crossed", "budget_crossed"]) });
}

/** Only in the last stage does the webhook's event name the highest threshold that the tenant reached. */
function hintOf({ reaches }: SoakTenant, stage: number): string {
  if (stage < BANDS.length) return "threshold_crossed";
  return reaches === BANDS.length - 1 ? "budget_crossed" : "soft_budget_crossed";
}
