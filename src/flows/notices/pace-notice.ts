// Gives a notice its turn at a target that takes only so many messages a second. Reserves once: the turn is kept with
// the delivery. Without Redis there is no pace; the provider's refusal then makes the notice wait.

import type { Instant } from "../../budget/instant.ts";
import { PACE_MS } from "../../budget/schedules/backoff.ts";
import { severityOf } from "../../budget/severity.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Dispatch } from "../../records/delivery.ts";
import type { PlatformDispatch } from "../../records/platform-alert.ts";
import { valueOrNull } from "../waiting.ts";

/** A notice without its turn is better than one that waits for Redis. */
const TIMEOUT_MS = 250;

/** Null when the target has no pace, or Redis is away. */
export async function reserveTurn(
  dispatch: Dispatch | PlatformDispatch,
  notBefore: Instant,
  deps: Pick<Ports, "claims" | "timers" | "log">,
): Promise<Instant | null> {
  const { channel } = dispatch;
  const intervalMs = PACE_MS[channel.kind];
  if (intervalMs === undefined) return null;
  const slot = { channelId: channel.id, lane: laneOf(dispatch), notBefore, intervalMs };
  return valueOrNull("notice pace", deps.claims.reserveSlot(slot), TIMEOUT_MS, deps);
}

/** A block does not queue behind a thousand other notices. Two lanes may meet, and the provider then makes one wait. */
function laneOf(dispatch: Dispatch | PlatformDispatch): "critical" | "others" {
  return "alert" in dispatch && severityOf(dispatch.alert.eventType) === "critical" ? "critical" : "others";
}
