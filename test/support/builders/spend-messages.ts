// LiteLLM's reports about a tenant's key, as the endpoints put them on the queue.

import type { SpendMessage } from "../../../src/ports/messages.ts";
import { NOW, RESET } from "../../budget/builders.ts";

type Webhook = Extract<SpendMessage, { kind: "webhook" }>;
type Calls = Extract<SpendMessage, { kind: "calls" }>;

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
    projected_spend: null,
    projected_exceeded_date: null,
    sent_at: NOW,
    received_at: NOW,
    ...differences,
  };
}

/** Calls of a key, with the key's highest spend among them. */
export function someCalls(keyHash: string, spend: string | null, differences: Partial<Calls> = {}): Calls {
  return {
    kind: "calls",
    key_hash: keyHash,
    team_id: null,
    spend,
    begun_at: NOW,
    resets_at: RESET,
    received_at: NOW,
    count: 1,
    ...differences,
  };
}
