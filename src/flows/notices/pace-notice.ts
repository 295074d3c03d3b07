// Gives a notice its turn at a target that takes only so many messages a second. The turn is kept with the
// delivery. Without Redis there is no pace; the provider's refusal then makes the notice wait.

import { severityOf } from "../../budget/delivery/severity.ts";
import type { Instant } from "../../budget/instant.ts";
import { PACE_MS } from "../../budget/schedules/backoff.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Dispatch } from "../../records/delivery.ts";
import type { PlatformDispatch } from "../../records/platform-alert.ts";
import { valueOrNull } from "../waiting.ts";

type Paced = Dispatch | PlatformDispatch;
type Deps = Pick<Ports, "claims" | "timers" | "log">;

/** A notice without its turn is better than one that waits for Redis. */
const TIMEOUT_MS = 250;

/**
 * The turn that the delivery has, or a new one; null when the target has no pace, or Redis is away. A turn is given up
 * to a critical notice that came meanwhile.
 */
export async function takeTurn(dispatch: Paced, now: Instant, deps: Deps): Promise<Instant | null> {
  const { slotAt } = dispatch.delivery;
  if (slotAt !== null && laneOf(dispatch) === "critical") return slotAt;
  return reserveTurn(dispatch, { notBefore: now, held: slotAt }, deps);
}

/** A turn not before this instant; null as for `takeTurn`. */
export async function nextTurn(dispatch: Paced, notBefore: Instant, deps: Deps): Promise<Instant | null> {
  return reserveTurn(dispatch, { notBefore, held: null }, deps);
}

async function reserveTurn(
  dispatch: Paced,
  wanted: { readonly notBefore: Instant; readonly held: Instant | null },
  deps: Deps,
): Promise<Instant | null> {
  const { channel } = dispatch;
  const intervalMs = PACE_MS[channel.kind];
  if (intervalMs === undefined) return null;
  const slot = { channelId: channel.id, lane: laneOf(dispatch), intervalMs, ...wanted };
  return valueOrNull("notice pace", deps.claims.reserveSlot(slot), TIMEOUT_MS, deps);
}

/** A block does not queue behind a thousand other notices. */
function laneOf(dispatch: Paced): "critical" | "others" {
  return "alert" in dispatch && severityOf(dispatch.alert.eventType) === "critical" ? "critical" : "others";
}
