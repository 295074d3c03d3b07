// Gives a notice its turn at a target that takes only so many messages a second. The turn is kept with the
// delivery. Without Redis there is no pace; the provider's refusal then makes the notice wait.

import { type Severity, severityOf, severityOfCondition } from "../../budget/delivery/severity.ts";
import type { Instant } from "../../budget/instant.ts";
import { PACE_MS } from "../../budget/schedules/pacing.ts";
import type { Ports } from "../../ports/ports.ts";
import type { NoticeDispatch } from "../../records/platform-alert.ts";
import { valueOrNull } from "../waiting.ts";

type Deps = Pick<Ports, "claims" | "timers" | "log">;

/** A notice without its turn is better than one that waits for Redis. */
const TIMEOUT_MS = 250;

/**
 * The turn that the delivery has, or a new one; null when the target has no pace, or Redis is away. A turn is given up
 * to a critical notice that came meanwhile.
 */
export async function takeTurn(dispatch: NoticeDispatch, now: Instant, deps: Deps): Promise<Instant | null> {
  const { turnAt } = dispatch.delivery;
  if (turnAt !== null && priorityOf(dispatch) === "critical") return turnAt;
  return reserveTurn(dispatch, { notBefore: now, held: turnAt }, deps);
}

/** A turn not before this instant; null as for `takeTurn`. */
export async function nextTurn(dispatch: NoticeDispatch, notBefore: Instant, deps: Deps): Promise<Instant | null> {
  return reserveTurn(dispatch, { notBefore, held: null }, deps);
}

async function reserveTurn(
  dispatch: NoticeDispatch,
  wanted: { readonly notBefore: Instant; readonly held: Instant | null },
  deps: Deps,
): Promise<Instant | null> {
  const { channel } = dispatch;
  const intervalMs = PACE_MS[channel.kind];
  if (intervalMs === undefined) return null;
  const request = { channelId: channel.id, priority: priorityOf(dispatch), intervalMs, ...wanted };
  return valueOrNull("notice pace", deps.claims.reserveTurn(request), TIMEOUT_MS, deps);
}

/** A block does not queue behind a thousand other notices. */
function priorityOf(dispatch: NoticeDispatch): "critical" | "others" {
  return severityOfDispatch(dispatch) === "critical" ? "critical" : "others";
}

function severityOfDispatch(dispatch: NoticeDispatch): Severity {
  if ("alert" in dispatch) return severityOf(dispatch.alert.eventType);
  const { kind } = dispatch.platformAlert;
  return kind === "budgets_reset" ? "info" : severityOfCondition(kind);
}
