// docs/api.md against the product: the same scenario gives the same page, and the page has every route.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { blocksOf, fillPage } from "../../dev/docs/page.ts";
import { play } from "../../dev/docs/play.ts";
import { type Product, startProduct } from "../../dev/docs/product.ts";
import { SCENARIO } from "../../dev/docs/scenario.ts";
import { BUNDLE_DIR } from "./support/build.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/api.md", import.meta.url)), "utf8");

let product: Product;
beforeAll(async () => {
  product = await startProduct(BUNDLE_DIR);
});
afterAll(() => product.stop());

/** The scenario waits for queues, and for Slack's last attempt. */
const SCENARIO_MS = 180_000;

it("docs/api.md shows what the product answers; if not, run npm run docs:api", { timeout: SCENARIO_MS }, async () => {
  const { played, variables } = await play(product, SCENARIO);
  expect(fillPage(page, blocksOf(played, variables))).toBe(page);
});
