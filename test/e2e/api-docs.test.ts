// docs/api.md matches the product: running the page's commands produces the same page. The commands use curl and
// openssl, which `.ci/run` installs.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { blocksOf, fillPage } from "../../dev/docs/page.ts";
import { play } from "../../dev/docs/play.ts";
import { startProduct } from "../../dev/docs/product.ts";
import { SCENARIO } from "../../dev/docs/scenario.ts";
import { BUNDLE_DIR } from "./support/build.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/api.md", import.meta.url)), "utf8");

/** The scenario waits for queues, and for Slack's last attempt. */
const SCENARIO_MS = 300_000;

const isMissing = (command: string) => spawnSync(command, ["--help"]).error !== undefined;

it.skipIf(["curl", "openssl"].some(isMissing))(
  "docs/api.md shows what the product answers; if not, run npm run docs:api",
  { timeout: SCENARIO_MS },
  async () => {
    const product = await startProduct(BUNDLE_DIR);
    onTestFinished(() => product.stop());
    const { played, variables } = await play(product, SCENARIO);
    expect(fillPage(page, blocksOf(played, variables))).toBe(page);
  },
);
