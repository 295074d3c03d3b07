// Puts LiteLLM's webhooks and call events on the spend queue; their sender waits for nothing else. Resolves no tenant
// and reads no store. What arrives twice is queued twice, and the consumer counts it once.

import type { Instant } from "../../budget/instant.ts";
import {
  callsMessage,
  type QueuedCall,
  type QueuedCaller,
  type QueuedWebhook,
  webhookMessage,
} from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** A finished call with its cost, or a caller whose spend is worth a read. */
export type CallReport =
  | { readonly kind: "call"; readonly call: QueuedCall }
  | { readonly kind: "hint"; readonly caller: QueuedCaller };

/** A message holds at most 50 calls and 50 hints: with the longest team ids in any script 80 KB of 128. */
const CALLS_PER_MESSAGE = 50;

/** LiteLLM sends up to 512 calls at once. A body of many tiny calls must not fill the memory. */
const MESSAGES_AT_ONCE = 20;

/** @throws when the queue refuses. */
export async function acceptWebhook(
  { webhook, now }: { webhook: QueuedWebhook; now: Instant },
  { spendQueue }: Pick<Ports, "spendQueue">,
): Promise<void> {
  await spendQueue.send(webhookMessage(webhook, now));
}

/** Returns the number of accepted reports. @throws when the queue refuses; calls that it already has do no harm. */
export async function acceptCalls(
  { reports, now }: { reports: AsyncIterable<CallReport>; now: Instant },
  { spendQueue }: Pick<Ports, "spendQueue">,
): Promise<number> {
  let calls: QueuedCall[] = [];
  let hints = new Map<string, QueuedCaller>();
  let accepted = 0;
  const send = async () => {
    const parts = inParts(calls, [...hints.values()]);
    [calls, hints] = [[], new Map()];
    if (parts.length > 0) await spendQueue.sendAll(parts.map((part) => callsMessage(part, now)));
  };
  for await (const report of reports) {
    accepted++;
    if (report.kind === "hint") hints.set(`${report.caller.key_hash}/${report.caller.team_id}`, report.caller);
    // A call that cost nothing changes no spend.
    else if (report.call.cost !== "0") calls.push(report.call);
    if (Math.max(calls.length, hints.size) === CALLS_PER_MESSAGE * MESSAGES_AT_ONCE) await send();
  }
  await send();
  return accepted;
}

function inParts(calls: readonly QueuedCall[], hints: readonly QueuedCaller[]) {
  const count = Math.ceil(Math.max(calls.length, hints.length) / CALLS_PER_MESSAGE);
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = [index * CALLS_PER_MESSAGE, (index + 1) * CALLS_PER_MESSAGE];
    return { calls: calls.slice(from, to), hints: hints.slice(from, to) };
  });
}
