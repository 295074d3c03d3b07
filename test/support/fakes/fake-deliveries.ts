// Deliveries in memory, with the rules of Postgres: a delivery that has ended does not change. `isAway` makes every
// verb throw.

import type { Instant } from "../../../src/budget/instant.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Deliveries } from "../../../src/ports/stores.ts";
import type { DeliveryKey, DeliveryRecord, Dispatch } from "../../../src/records/delivery.ts";
import type { PlatformDispatch } from "../../../src/records/platform-alert.ts";

const nameOf = ({ alertId, channelId }: DeliveryKey) => `${alertId} ${channelId}`;

export class FakeDeliveries implements Deliveries {
  isAway = false;
  readonly #rows = new Map<string, Dispatch | PlatformDispatch>();

  has(...dispatches: readonly (Dispatch | PlatformDispatch)[]): void {
    for (const dispatch of dispatches) this.#rows.set(nameOf(dispatch.delivery), dispatch);
  }

  /** @throws Error when there is no such delivery. */
  of(key: DeliveryKey): DeliveryRecord {
    const row = this.#rows.get(nameOf(key));
    if (row === undefined) throw new Error("no such delivery");
    return row.delivery;
  }

  async load(key: DeliveryKey) {
    this.#reach();
    return this.#rows.get(nameOf(key)) ?? null;
  }

  async end(key: DeliveryKey, { status, error, at }: Parameters<Deliveries["end"]>[1]) {
    this.#reach();
    this.#change(key, "pending", ({ attempts }) => ({
      status,
      lastError: error,
      nextAttemptAt: null,
      sentAt: status === "sent" ? at : null,
      attempts: status === "skipped" ? attempts : attempts + 1,
    }));
  }

  async postpone(key: DeliveryKey, { error, nextAttemptAt }: Parameters<Deliveries["postpone"]>[1]) {
    this.#reach();
    this.#change(key, "pending", ({ attempts }) => ({ lastError: error, nextAttemptAt, attempts: attempts + 1 }));
  }

  async claimOverdue(before: Instant, limit: number, now: Instant) {
    this.#reach();
    const overdue = [...this.#rows.values()]
      .map(({ delivery }) => delivery)
      .filter(({ status, nextAttemptAt }) => status === "pending" && nextAttemptAt !== null && nextAttemptAt < before)
      .slice(0, limit);
    for (const key of overdue) this.#change(key, "pending", () => ({ nextAttemptAt: now }));
    return overdue.map(({ alertId, channelId }) => ({ alertId, channelId }));
  }

  async revive(key: DeliveryKey, now: Instant) {
    this.#reach();
    const revived = { status: "pending", attempts: 0, lastError: null, nextAttemptAt: now } as const;
    this.#change(key, "failed", () => revived);
  }

  #change(
    key: DeliveryKey,
    status: DeliveryRecord["status"],
    change: (delivery: DeliveryRecord) => Partial<DeliveryRecord>,
  ) {
    const row = this.#rows.get(nameOf(key));
    if (row?.delivery.status !== status) return;
    this.has({ ...row, delivery: { ...row.delivery, ...change(row.delivery) } });
  }

  #reach() {
    if (this.isAway) throw new Outage("postgres", "away", null);
  }
}
