// The example of Gate, run as it is, against the local stack. That of Ask is Python's: `npm run test:python`.

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
