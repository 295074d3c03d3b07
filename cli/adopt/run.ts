// `npm run adopt` as a function: plans, shows, and with --apply does. Keeps nothing: each run asks both sides anew.

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
  /** The result goes to `out`, how far it is and what went wrong to `err`. */
  readonly out: Terminal;
  readonly err: Terminal;
  readonly signal: AbortSignal;
  readonly clock: () => number;
  readonly patience?: typeof PATIENCE;
}

const DONE = 0;
const FAILED = 1;
/** What a shell says of a process that Ctrl-C has ended. */
const INTERRUPTED = 130;

/** The exit code. */
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
  // Who cannot change anything in Bursar need not load LiteLLM.
  const tenants = await listTenants(bursar);
  const teams = await listTeams(litellm, now);
  const keys = options.includesKeys ? await listKeys(litellm, now) : [];
  const rows = planAll({ teams, keys, tenants, masterKeyHash: hashOf(places.litellm.token), options, now });
  if (!options.isJson) io.out.write(`${planText(rows, options)}\n`);

  const isUnsettled = rows.some(({ decision }) => decision.kind === "refuse");
  if (options.isApplied && isUnsettled)
    io.err.write("Nothing was done: settle what is to be settled first, or use --only.\n");
  const outcomes =
    options.isApplied && !isUnsettled ? await apply(rows, options, io, bursar) : new Map<PlanRow, Outcome>();
  if (options.isJson) io.out.write(`${JSON.stringify(planJson(rows, outcomes), null, 2)}\n`);
  if (!options.isApplied) return DONE;
  return isUnsettled ? FAILED : summarise(outcomes, io);
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
    return await applyPlan({ adoptions: wanted, enforcement, signal, onOutcome: progress.tell }, bursar);
  } finally {
    progress.end();
  }
}

function summarise(outcomes: ReadonlyMap<PlanRow, Outcome>, { err, signal }: AdoptIo): number {
  const all = [...outcomes];
  const count = (kind: Outcome["kind"]) => all.filter(([, outcome]) => outcome.kind === kind).length;
  const pending = all.filter(([, outcome]) => outcome.kind === "adopted" && outcome.isPending).length;
  const failed = all.flatMap(([row, outcome]) => (outcome.kind === "failed" ? [{ row, why: outcome.why }] : []));
  const waiting = pending === 0 ? "" : ` LiteLLM has yet to be told of ${pending}: Bursar's sweep does it.`;
  err.write(`${count("adopted") + count("already")} adopted, ${failed.length} failed.${waiting}\n`);
  for (const { row, why } of failed) err.write(`  ${row.tenantId}: ${printable(why)}\n`);
  const left = count("not_begun");
  if (left > 0) err.write(`Interrupted: ${left} not begun. Run it again to go on.\n`);
  else if (failed.length > 0) err.write("Run it again to try those once more.\n");
  if (signal.aborted && left > 0) return INTERRUPTED;
  return failed.length > 0 ? FAILED : DONE;
}
