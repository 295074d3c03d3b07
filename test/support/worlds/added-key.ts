// A second key of acme, in an admin world.

import type { KeyHash } from "../../../src/budget/tenant.ts";
import { addKey, type ChangeKeysDeps } from "../../../src/flows/keys/change-keys.ts";
import { NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../builders/builders.ts";
import { sha256 } from "../builders/virtual-key.ts";

export const OTHER_KEY = "sk-other";

interface Wish {
  readonly virtualKey?: string;
  readonly othersEndAt?: number;
  readonly now?: number;
}

/** Adds a key and returns the tenant. The keys so far end at once. */
export async function addedKey(deps: ChangeKeysDeps, wish: Wish = {}) {
  const { virtualKey = OTHER_KEY, now = NOW, othersEndAt = now } = wish;
  const keyHash: KeyHash = sha256(virtualKey);
  const input = { tenantId: idOf("acme"), virtualKey, keyHash, othersEndAt, actor: anActor({ now }) };
  const added = await addKey(input, deps);
  if (!added.ok) throw new Error(added.failure);
  return added.value;
}
