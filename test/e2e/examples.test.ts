// Runs the example of Gate unchanged against the local stack. `npm run test:python` runs the example of Ask.

import { afterAll, beforeAll, describe, it } from "vitest";
import { type Bursar, startBursar } from "./support/bursar.ts";
import { expectToStopAtTheBudget } from "./support/examples.ts";

let bursar: Bursar;

beforeAll(async () => {
  bursar = await startBursar();
});
afterAll(() => bursar.stop());

describe("examples/gate.ts", () => {
  it("prints an answer while the tenant may spend, and the reason when it is refused", () =>
    expectToStopAtTheBudget(bursar, process.execPath, "examples/gate.ts"));
});
