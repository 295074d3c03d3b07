// Joining two cached copies of a tenant: the newer config, the joined spend, and nothing of a former subject.

import { describe, expect, it } from "vitest";
import { joinCached } from "../../../src/flows/edge/cached-tenant.ts";
import { aSpendRecord, aTenantConfig, NOW, SECOND, usd } from "../../budget/builders.ts";

const known = (revision: number, spend: string, team: string | null = null) => ({
  config: aTenantConfig({ revision, ...(team !== null && { subject: { kind: "team", id: team } }) }),
  spend: aSpendRecord({ spendNanoUsd: usd(spend) }),
});

describe("copies of one subject", () => {
  it("takes the newer config and the higher spend, whichever copy has them", () => {
    const [a, b] = [known(2, "100"), known(1, "200")];
    expect(joinCached(a, b)).toEqual({ config: a.config, spend: b.spend });
    expect(joinCached(b, a)).toEqual({ config: a.config, spend: b.spend });
  });

  it("keeps what only one copy has", () => {
    const { config, spend } = known(1, "100");
    expect(joinCached({ config, spend: null }, { config: null, spend })).toEqual({ config, spend });
    expect(joinCached({ config: null, spend }, { config, spend: null })).toEqual({ config, spend });
    expect(joinCached(null, { config, spend: null })).toEqual({ config, spend: null });
  });
});

it("takes the copy of the newer subject alone, without the other's spend", () => {
  const [former, present] = [known(1, "900"), known(2, "3", "red")];
  const later = { ...former, spend: aSpendRecord({ spendNanoUsd: usd("900"), observedAt: NOW + SECOND }) };
  expect(joinCached(later, present)).toEqual(present);
  expect(joinCached(present, later)).toEqual(present);
});
