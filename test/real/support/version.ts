// How LiteLLM's releases differ for an agent behind the pasted configuration. docs/litellm.md says the same in a table.

import { behaviourOf, profileOf } from "../../../dev/litellm/profiles.ts";
import { product } from "./product.ts";

const [, minor = 0] = product.version.split(".").map(Number);

export const behaviour = {
  /** A guardrail's refusal. */
  guardRefusalStatus: minor < 84 ? 500 : 400,
  /** Allows a call right after a reset. 1.83 goes on refusing it by what it has in memory, for ten minutes. */
  resetsAtOnce: behaviourOf(profileOf(product.version)).resetsAtOnce,
  /** Heeds the guardrail's `timeout`. */
  boundsGuardrail: minor >= 105,
  /** LiteLLM's own refusal, with `budget_exceeded_status_code: 402`. */
  refusalStatus: minor >= 104 ? 402 : minor >= 84 ? 429 : 400,
};
