// A block that an isolate knows before Postgres does: of a call through Gate that LiteLLM may not charge.

import { describe, expect, it } from "vitest";
import { addCall, mergeRead, type SpendRecord } from "../../src/budget/spend.ts";
import { aRead, aSpendRecord, NOW, PERIOD_START, RESET, SECOND, usd } from "./builders.ts";

const PERIOD = { startedAt: PERIOD_START, resetsAt: RESET };
const read = (dollars: string, seconds: number) =>
  aRead({ spendNanoUsd: usd(dollars), begunAt: NOW + seconds * SECOND });

describe("a block at the edge that a call through Gate made", () => {
  const added = addCall(aSpendRecord({ spendNanoUsd: usd("545") }), usd("10"), NOW);
  const merged = (from: SpendRecord, dollars: string, seconds: number) =>
    mergeRead(from, read(dollars, seconds), PERIOD, usd("550"));

  it("ends by the second read that is late enough, a minute after the first could be", () => {
    const first = merged(added, "546", 41);
    expect(first).toMatchObject({ spendNanoUsd: usd("555"), source: "gate" });
    expect(merged(first, "546", 99)).toMatchObject({ spendNanoUsd: usd("555") });
    expect(merged(first, "546", 100)).toMatchObject({ spendNanoUsd: usd("546"), source: "litellm" });
  });

  it("stays after a single read, however late", () => {
    expect(merged(added, "546", 500).spendNanoUsd).toBe(usd("555"));
    expect(merged({ ...added, readAt: null }, "546", 500).spendNanoUsd).toBe(usd("555"));
  });

  it("takes the correction of one read that still blocks, and then only Postgres lifts it", () => {
    const corrected = merged(added, "552", 41);
    expect(corrected.spendNanoUsd).toBe(usd("552"));
    expect(merged(corrected, "0", 500).spendNanoUsd).toBe(usd("552"));
  });
});
