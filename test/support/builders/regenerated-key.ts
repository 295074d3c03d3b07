// What LiteLLM's `/key/regenerate` does to a key: a new secret, and everything else as before. The simulator has no
// such route, because LiteLLM serves it to enterprises only.

import type { AdminWorld } from "../worlds/admin-world.ts";
import { sha256 } from "./virtual-key.ts";

/** Returns the new hash. `differences` are other values of the new row. */
export async function regenerateKey(world: AdminWorld, from: string, to: string, differences: object = {}) {
  const { key_alias, max_budget, budget_duration, metadata, spend } = await world.keyRow(from);
  await world.manage("POST", "/key/delete", { keys: [from] });
  await world.manage("POST", "/key/generate", {
    key: to,
    key_alias,
    max_budget,
    budget_duration,
    metadata,
    ...differences,
  });
  world.litellm.setSpend(to, spend);
  return sha256(to);
}
