// Case: what Postgres does for each page of `GET /v1/tenants` and for each job of the sweep, at 1,000 tenants and at
// 100,000. Counts the pages that Postgres looks at, which do not depend on how busy the machine is.

import { sql } from "drizzle-orm";
import { type Database, runStatement } from "../../src/adapters/postgres/client.ts";
import { LISTS, portsOn, sweepCases } from "../../test/plans/cases.ts";
import type { RecordedPlan } from "../../test/plans/recorded-plans.ts";
import { ms, type Row } from "../report/report.ts";
import { median } from "../rounds.ts";
import type { Filled, TwoSizes } from "./filled.ts";

const ROUNDS = 5;

/** Of the pages that counting every state anew looks at: a page of the list that reads a table whole looks at more. */
const MOST_SHARE = 0.5;

/** The jobs of a sweep that finds this much of each kind. As much is there at 1,000 tenants. */
const DUE = 2;

/** These take all that is due, so they have more to do where there are more tenants. */
const TAKE_ALL = new Set(["deliveries.gatherDigests", "platformAlerts.evaluate"]);

/** Nothing of a filled database is so old. */
const LONG_AGO_MS = 1_000 * 86_400_000;

/** How the counts were found without `tenant_states`. */
const COUNT_ANEW = sql.raw(`select case
    when c.suspended_at is not null or c.litellm_blocked_at is not null or l.amount = 0 then 'blocked'
    when f.spend * 100 >= l.amount * c.grace_threshold then 'blocked'
    when c.subject_missing_at is not null or f.spend is null then 'unknown'
    when f.spend >= l.amount then 'grace'
    when f.spend * 100 >= l.amount * c.alert_threshold then 'warning'
    else 'ok' end as state, count(*)
  from tenant_configs c
  left join tenant_spend f on f.tenant_id = c.tenant_id
  left join (select tenant_id, sum(override_amount) as amount from budget_overrides
    where created_at <= now() and now() < least(expires_at, revoked_at) group by tenant_id) o
    on o.tenant_id = c.tenant_id
  cross join lateral (select c.max_budget + coalesce(o.amount, 0) as amount) l
  where c.deleted_at is null group by 1`);

interface Query {
  readonly name: string;
  readonly run: (database: Database, now: number) => Promise<unknown>;
}

const queriesOf = (cases: typeof LISTS, agoMs = 0): Query[] =>
  cases.map(({ name, run }) => ({ name, run: (database, now) => run(portsOn(database), now - agoMs) }));

const BEFORE: Query = { name: "every state counted anew", run: (database) => runStatement(database, COUNT_ANEW) };

interface Cost {
  readonly ms: number;
  readonly pages: number;
}

/** Rows, and each page of the list that looks at too much. The sweep's queries have their plans checked: test/plans. */
export async function queries(sizes: TwoSizes): Promise<{ rows: Row[]; faults: string[] }> {
  const lists = LISTS.filter(({ name }) => name.startsWith("tenants.list"));
  const due = sweepCases(DUE).filter(({ name }) => !TAKE_ALL.has(name));
  const listed = await playAll("GET /v1/tenants, in Postgres", queriesOf(lists), sizes);
  const anew = await playAll("GET /v1/tenants, in Postgres", [BEFORE], sizes);
  const swept = [
    ...(await playAll("The sweep, nothing due", queriesOf(sweepCases(), LONG_AGO_MS), sizes)),
    ...(await playAll(`The sweep, ${DUE} of each due`, queriesOf(due), sizes)),
    ...(await playAll("The sweep, as much due as a run takes", queriesOf(sweepCases()), sizes)),
  ];
  const most = Math.min(...anew.map(({ many }) => many.pages)) * MOST_SHARE;
  const faults = listed.filter(({ many }) => many.pages > most);
  return {
    rows: [...listed, ...anew, ...swept].map(toRow),
    faults: faults.map(({ name, many }) => `${name} looks at ${many.pages} pages, ${most} at most`),
  };
}

interface Played {
  readonly group: string;
  readonly name: string;
  readonly few: Cost;
  readonly many: Cost;
}

async function playAll(group: string, asked: readonly Query[], { few, many }: TwoSizes): Promise<Played[]> {
  const played: Played[] = [];
  for (const each of asked) {
    const costs: Record<"few" | "many", Cost[]> = { few: [], many: [] };
    for (let round = -1; round < ROUNDS; round++) {
      const [ofFew, ofMany] = [await costOf(each, few), await costOf(each, many)];
      if (round < 0) continue;
      costs.few.push(ofFew);
      costs.many.push(ofMany);
    }
    played.push({ group, name: each.name, few: middle(costs.few), many: middle(costs.many) });
  }
  return played;
}

async function costOf({ run }: Query, { recorder }: Filled): Promise<Cost> {
  const plans = await recorder.plansOf(() => run(recorder.database, Date.now()));
  const sum = (pick: (plan: RecordedPlan) => number) => plans.reduce((total, plan) => total + pick(plan), 0);
  return { ms: sum((plan) => plan.ms), pages: sum((plan) => plan.pages) };
}

const middle = (costs: readonly Cost[]): Cost => ({
  ms: median(costs.map((cost) => cost.ms)),
  pages: median(costs.map(({ pages }) => pages)),
});

function toRow({ group, name, few, many }: Played): Row {
  return {
    group,
    name,
    figures: {
      "ms, few": ms(few.ms),
      "ms, many": ms(many.ms),
      ratio: (many.ms / few.ms).toFixed(1),
      "pages, few": String(few.pages),
      "pages, many": String(many.pages),
    },
  };
}
