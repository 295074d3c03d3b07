// `npm run test:litellm`: plays the contract suite, and Bursar itself, on real LiteLLM proxies, one version after the
// other. Bursar stands beside a second proxy of that version, because the contract suite needs one without Bursar.

import { InvalidArgumentError } from "@commander-js/extra-typings";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { ServiceMissingError } from "../services/process.ts";
import { InstallationError } from "./install.ts";
import { startProduct } from "./product.ts";
import { type RealLitellm, startRealLitellm } from "./proxy.ts";
import { type Counts, runVitest } from "./run-vitest.ts";
import { ALL_VERSIONS, TESTED_VERSIONS, VersionError } from "./versions.ts";

const KINDS = ["contract", "product"] as const;
type Kind = (typeof KINDS)[number];

const CONTRACT = ["--project", "node", "test/litellm/contract-"];
const PRODUCT = ["--project", "real", "--project", "real-alone"];

/** What the command needs is not on this machine. */
const MISSING_EXIT = 3;

const {
  args: [requested],
  options,
} = readCommandLine(
  defineCommand({
    name: "npm run test:litellm --",
    description: `Tests real LiteLLM proxies, and Bursar beside them; by default ${TESTED_VERSIONS.join(" and ")}.`,
    exitCodes: {
      0: "every test passed on every version",
      1: "a test failed, or a proxy did not start",
      [MISSING_EXIT]: "Python 3.10, its venv module, Postgres or PyPI is missing",
    },
  })
    .argument("[versions...]", "other versions")
    .option("--all", `run against ${ALL_VERSIONS.join(", ")}`)
    .option("--only <kind>", `only the ${KINDS.join(" or the ")} tests`, kindNamed),
);

function kindNamed(text: string): Kind {
  const kind = KINDS.find((each) => each === text);
  if (kind === undefined) throw new InvalidArgumentError(`It is one of ${KINDS.join(", ")}.`);
  return kind;
}

interface Stoppable {
  stop(): Promise<void>;
}

interface Result extends Counts {
  readonly version: string;
  readonly kind: Kind;
  readonly seconds: number;
}

let running: Stoppable[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void stopAll().then(() => process.exit(1));
  });
}

async function stopAll(): Promise<void> {
  const stopping = running.toReversed();
  running = [];
  for (const each of stopping) await each.stop();
}

function started<T extends Stoppable>(part: T): T {
  running.push(part);
  return part;
}

/** The time includes the start of the proxy that only this kind needs. */
async function play(version: string, kind: Kind, test: () => Promise<Counts>): Promise<Result> {
  const begunAt = Date.now();
  const counts = await test();
  return { version, kind, seconds: Math.round((Date.now() - begunAt) / 1_000), ...counts };
}

async function testVersion(version: string): Promise<Result[]> {
  console.log(`\nStarting LiteLLM ${version} …`);
  const results: Result[] = [];
  try {
    let bare: RealLitellm | null = null;
    const untilBare = async () => {
      bare ??= await started(startRealLitellm({ version, say: console.log })).ready;
      return bare;
    };
    if (options.only !== "product") {
      results.push(await play(version, "contract", async () => testContract(await untilBare())));
    }
    if (options.only !== "contract") {
      results.push(await play(version, "product", async () => testProduct(version, await untilBare())));
    }
    return results;
  } finally {
    await stopAll();
  }
}

function testContract({ url, masterKey }: RealLitellm): Promise<Counts> {
  return runVitest(CONTRACT, { LITELLM_URL: url, LITELLM_MASTER_KEY: masterKey });
}

async function testProduct(version: string, bare: RealLitellm): Promise<Counts> {
  console.log(`\nStarting Bursar and a LiteLLM ${version} with its configuration …`);
  const product = await started(startProduct({ version, bare, say: console.log })).ready;
  return runVitest(PRODUCT, { REAL_PRODUCT: JSON.stringify(product) });
}

function resultLine({ version, kind, passed, failed, skipped, seconds }: Result): string {
  const counts = `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
  return `LiteLLM ${version.padEnd(9)} ${kind.padEnd(9)} ${counts}, ${seconds} s`;
}

async function run(versions: readonly string[]): Promise<number> {
  const results: Result[] = [];
  try {
    for (const version of versions) results.push(...(await testVersion(version)));
  } finally {
    console.log(`\n${results.map(resultLine).join("\n")}`);
  }
  return results.every(({ passed, failed }) => failed === 0 && passed > 0) ? 0 : 1;
}

const byDefault = options.all === true ? ALL_VERSIONS : TESTED_VERSIONS;
try {
  process.exitCode = await run(requested.length > 0 ? requested : byDefault);
} catch (error) {
  const isMissing = error instanceof ServiceMissingError || error instanceof InstallationError;
  console.error(isMissing || error instanceof VersionError ? error.message : error);
  process.exitCode = isMissing ? MISSING_EXIT : 1;
}
