// Builders of overrides as they are asked for. A test names only what it is about.

import type { NewOverride } from "../../../src/records/override.ts";
import { DAY, NOW, usd } from "../../budget/builders.ts";
import { idOf } from "./builders.ts";
import { uuidOf } from "./notice-builders.ts";

/** $100 more for `acme`, for a day. */
export function aNewOverride(differences: Partial<NewOverride> = {}): NewOverride {
  return {
    id: uuidOf(1),
    tenantId: idOf("acme"),
    amountNanoUsd: usd("100"),
    expiresAt: NOW + DAY,
    reason: "launch week",
    ...differences,
  };
}
