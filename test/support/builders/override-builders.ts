// Builders of overrides as an administrator requests them. A test sets only the fields that it is about.

import type { NewOverride } from "../../../src/records/override.ts";
import { DAY, NOW, usd } from "../../budget/builders.ts";
import { idOf } from "./builders.ts";
import { uuidOf } from "./notice-builders.ts";

/** An override of $100 for `acme`, for a day. */
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
