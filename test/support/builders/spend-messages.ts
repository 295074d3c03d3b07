// LiteLLM's reports about a tenant's key, as the endpoints put them on the queue.

import type { SpendMessage } from "../../../src/ports/messages.ts";
import { callsMessage } from "../../../src/ports/messages.ts";
import { NOW, SECOND } from "../../budget/builders.ts";

type Webhook = Extract<SpendMessage, { kind: "webhook" }>;

/** A signed `soft_budget_crossed` of a key. */
export function aWebhook(keyHash: string | null, spend: string | null, differences: Partial<Webhook> = {}): Webhook {
  return {
    kind: "webhook",
    auth: "signature",
    door: "signed",
    event: "soft_budget_crossed",
    event_group: "key",
    key_hash: keyHash,
    team_id: null,
    user_id: null,
    spend,
    sent_at: NOW,
    received_at: NOW,
    ...differences,
  };
}

/** Late enough that no read at `NOW` contains a call that ended then. */
export const AFTER_READS = NOW + 10 * SECOND;

let calls = 0;

/** One call of a key with its cost; a call without one is a hint. */
export function aCall(
  keyHash: string,
  cost: string | null,
  { id = (++calls).toString(16).padStart(32, "0"), endedAt = AFTER_READS, teamId = null as string | null } = {},
): SpendMessage {
  const caller = { key_hash: keyHash, team_id: teamId };
  const call = cost === null ? [] : [{ ...caller, id, started_at: endedAt - SECOND, ended_at: endedAt, cost }];
  return callsMessage({ calls: call, hints: cost === null ? [caller] : [] }, endedAt);
}
