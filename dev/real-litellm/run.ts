// `npm run litellm -- 1.110.2`: starts a real LiteLLM proxy until Ctrl-C.

import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { ServiceMissingError } from "../services/process.ts";
import { InstallationError } from "./install.ts";
import { chooseAddress, type StartingLitellm, startRealLitellm } from "./proxy.ts";
import { ALL_VERSIONS, TESTED_VERSIONS, VersionError } from "./versions.ts";

/** What the command needs is not on this machine. */
const MISSING_EXIT = 3;

const {
  args: [version],
  options,
} = readCommandLine(
  defineCommand({
    name: "npm run litellm --",
    description: `Starts a real, unmodified LiteLLM proxy on a Postgres of its own. Tested: ${ALL_VERSIONS.join(", ")}.`,
    exitCodes: {
      0: "ended by Ctrl-C",
      1: "the proxy did not start",
      [MISSING_EXIT]: "Python, Postgres or PyPI is missing",
    },
  })
    .argument("[version]", "the version on PyPI", TESTED_VERSIONS[0])
    .option("--port <port>", "the proxy's port; any free one by default", Number),
);

let litellm: StartingLitellm | null = null;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void (litellm?.stop() ?? Promise.resolve()).then(() => process.exit(0));
  });
}

try {
  console.log(`Starting LiteLLM ${version} …`);
  litellm = startRealLitellm({ version, say: console.log, address: await chooseAddress(options.port) });
  const proxy = await litellm.ready;
  console.log(`export LITELLM_URL=${proxy.url} LITELLM_MASTER_KEY=${proxy.masterKey}`);
  console.log(`Its model is "mock"; a call costs $0.28. Log: ${proxy.logPath}. Press Ctrl-C to stop.`);
} catch (error) {
  const isExplained =
    error instanceof ServiceMissingError || error instanceof InstallationError || error instanceof VersionError;
  console.error(isExplained ? error.message : error);
  process.exit(error instanceof ServiceMissingError || error instanceof InstallationError ? MISSING_EXIT : 1);
}
