// `npm run docs:api`: rewrites the examples of docs/api.md from the answers of the built Worker.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { buildBundle } from "../worker/build.ts";
import { blocksOf, fillPage } from "./page.ts";
import { play } from "./play.ts";
import { startProduct } from "./product.ts";
import { SCENARIO } from "./scenario.ts";

readCommandLine(
  defineCommand({
    name: "npm run docs:api --",
    description: "Writes the examples of docs/api.md from the answers of the built Worker. Needs curl and openssl.",
    exitCodes: { 0: "the page shows the current answers", 1: "the Worker or a call of the scenario failed" },
  }),
);

const PAGE = fileURLToPath(new URL("../../docs/api.md", import.meta.url));
const BUNDLE_DIR = fileURLToPath(new URL("../../.wrangler/docs", import.meta.url));

await buildBundle(BUNDLE_DIR);
const product = await startProduct(BUNDLE_DIR);
try {
  const { played, variables } = await play(product, SCENARIO);
  const page = readFileSync(PAGE, "utf8");
  const filled = fillPage(page, blocksOf(played, variables));
  writeFileSync(PAGE, filled);
  console.log(`docs/api.md: ${played.length} examples, ${filled === page ? "unchanged" : "updated"}`);
} finally {
  await product.stop();
}
process.exit(0);
