// `npm run adopt` as a function: plans, prints the plan, and with --apply carries it out. Stores nothing: each run
// reads LiteLLM and Bursar again.

import { parseArguments, usageExitOf } from "../command-line.ts";
import { applyPlan, type Outcome } from "./apply.ts";
import { listTenants } from "./bursar-admin.ts";
import { hashOf, listKeys, listTeams } from "./litellm-subjects.ts";
import { type AdoptOptions, adoptCommand, optionsFrom, type Places, placesFrom } from "./options.ts";
import { adoptionsIn, type PlanRow, planAll } from "./plan.ts";
import { PATIENCE, politeApi } from "./polite-api.ts";
import { startProgress, type Terminal } from "./progress.ts";
import { planJson, planText, printable } from "./show-plan.ts";

export interface AdoptIo {
  readonly env: NodeJS.ProcessEnv;
  /** `out` gets the plan and its outcome, `err` the progress and the errors. */
  readonly out: Terminal;
  readonly err: Terminal;
  readonly signal: AbortSignal;
  readonly clock: () => number;
  readonly patience?: typeof PATIENCE;
}

const DONE = 0;
const FAILED = 1;
/** The exit code that a shell reports for a process that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Returns the exit code. */
export async function runAdopt(args: readonly string[], io: AdoptIo): Promise<number> {
  try {
    const command = adoptCommand();
    const { options } = parseArguments(command, args, io);
    return await adoptAll(optionsFrom(options), placesFrom(io.env, command), io);
  } catch (error) {
    const usageExit = usageExitOf(error);
    if (usageExit !== null) return usageExit;
    io.err.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return FAILED;
  }
}

async function adoptAll(options: AdoptOptions, places: Places, io: AdoptIo): Promise<number> {
  const patience = io.patience ?? PATIENCE;
  const litellm = politeApi("LiteLLM", places.litellm, patience);
  const bursar = politeApi("Bursar", places.bursar, patience);
  const now = io.clock();
  // Bursar first: a wrong admin token then fails before the run puts load on LiteLLM.
  const tenants = await listTenants(bursar);
  const teams = await listTeams(litellm, now);
  const keys = options.includesKeys ? await listKeys(litellm, now) : [];
  const rows = planAll({ teams, keys, tenants, masterKeyHash: hashOf(places.litellm.token), options, now });
  if (!options.isJson) io.out.write(`${planText(rows, options)}\n`);

  const hasRefusals = rows.some(({ decision }) => decision.kind === "refuse");
  if (options.isApplied && hasRefusals)
    io.err.write("Nothing was changed: resolve the conflicts first, or leave them out with --only.\n");
  const outcomes =
    options.isApplied && !hasRefusals ? await apply(rows, options, io, bursar) : new Map<PlanRow, Outcome>();
  if (options.isJson) io.out.write(`${JSON.stringify(planJson(rows, outcomes), null, 2)}\n`);
  if (!options.isApplied) return DONE;
  return hasRefusals ? FAILED : summarise(outcomes, io);
}

async function apply(
  rows: readonly PlanRow[],
  { enforcement }: AdoptOptions,
  { err, signal }: AdoptIo,
  bursar: ReturnType<typeof politeApi>,
): Promise<ReadonlyMap<PlanRow, Outcome>> {
  const wanted = adoptionsIn(rows);
  if (wanted.length === 0) return new Map();
  const progress = startProgress(wanted.length, err);
  try {
    return await applyPlan({ adoptions: wanted, enforcement, signal, onOutcome: progress.report }, bursar);
  } finally {
    progress.end();
  }
}

function summarise(outcomes: ReadonlyMap<PlanRow, Outcome>, { err, signal }: AdoptIo): number {
  const all = [...outcomes];
  const count = (kind: Outcome["kind"]) => all.filter(([, outcome]) => outcome.kind === kind).length;
  const pending = all.filter(([, outcome]) => outcome.kind === "adopted" && outcome.isPending).length;
  const failed = all.flatMap(([row, outcome]) => (outcome.kind === "failed" ? [{ row, why: outcome.why }] : []));
  const waiting = pending === 0 ? "" : ` LiteLLM is not yet in sync for ${pending}: Bursar's sweep retries.`;
  err.write(`${count("adopted") + count("already")} adopted, ${failed.length} failed.${waiting}\n`);
  for (const { row, why } of failed) err.write(`  ${row.tenantId}: ${printable(why)}\n`);
  const left = count("not_begun");
  if (left > 0) err.write(`Interrupted: ${left} not started. Run it again to continue.\n`);
  else if (failed.length > 0) err.write("Run it again to retry them.\n");
  if (signal.aborted && left > 0) return INTERRUPTED;
  return failed.length > 0 ? FAILED : DONE;
}
