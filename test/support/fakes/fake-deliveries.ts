// Deliveries in memory, with the rules of Postgres: a delivery that has ended does not change. `isAway` makes every
// verb throw.

import type { Instant } from "../../../src/budget/instant.ts";
import type { Deliveries, Postponement } from "../../../src/ports/notice-stores.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { DeliveryKey, DeliveryRecord, Dispatch } from "../../../src/records/delivery.ts";
import type { PlatformDispatch } from "../../../src/records/platform-alert.ts";

const nameOf = ({ alertId, channelId }: DeliveryKey) => `${alertId} ${channelId}`;

export class FakeDeliveries implements Deliveries {
  isAway = false;
  /** Deliveries whose rows cannot be read. */
  readonly unreadable = new Set<string>();
  /** Deliveries that a newer alert has made untrue. */
  readonly untrue = new Set<string>();
  /** Channels whose provider refused a notice for good. */
  readonly broken = new Set<string>();
  /** The digests that are due. */
  readonly digests: DeliveryKey[] = [];
  /** Attempts that have begun and are not known to have failed. */
  readonly open = new Map<string, number>();
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

  all(): DeliveryRecord[] {
    return [...this.#rows.values()].map(({ delivery }) => delivery);
  }

  async load(keys: readonly DeliveryKey[], onUnreadable?: Parameters<Deliveries["load"]>[1]) {
    this.#reach();
    const [bad, good] = [true, false].map((isBad) => keys.filter((key) => this.unreadable.has(nameOf(key)) === isBad));
    for (const key of bad ?? []) onUnreadable?.(key, new Error("unreadable"));
    return [...new Set(good?.map(nameOf))].flatMap((name) => this.#rows.get(name) ?? []);
  }

  async begin(key: DeliveryKey, due: Parameters<Deliveries["begin"]>[1]) {
    this.#reach();
    const { status, nextAttemptAt } = this.of(key);
    if (status !== "pending" || nextAttemptAt !== due.nextAttemptAt) return "changed";
    if (!this.untrue.has(nameOf(key))) {
      this.open.set(nameOf(key), (this.open.get(nameOf(key)) ?? 0) + 1);
      return "begun";
    }
    this.#change(key, "pending", () => ({ status: "superseded", nextAttemptAt: null }));
    return "superseded";
  }

  damage(key: DeliveryKey): void {
    this.unreadable.add(nameOf(key));
  }

  supersede(key: DeliveryKey): void {
    this.untrue.add(nameOf(key));
  }

  async recordRejection(key: DeliveryKey, { error, at }: Parameters<Deliveries["recordRejection"]>[1]) {
    await this.end(key, { status: "failed", error, hasNotArrived: true, at });
    if (this.broken.has(key.channelId)) return [];
    this.broken.add(key.channelId);
    return [{ ...key, channelId: "the other channel" as DeliveryKey["channelId"] }];
  }

  async gatherDigests() {
    this.#reach();
    return this.digests.splice(0);
  }

  async end(key: DeliveryKey, { status, error, hasNotArrived, at }: Parameters<Deliveries["end"]>[1]) {
    this.#reach();
    this.#close(key, hasNotArrived);
    this.#change(key, "pending", ({ attempts }) => ({
      status,
      lastError: error,
      nextAttemptAt: null,
      turnAt: null,
      sentAt: status === "sent" ? at : null,
      attempts: status === "skipped" ? attempts : attempts + 1,
    }));
  }

  async postpone(key: DeliveryKey, next: Postponement) {
    this.#reach();
    this.#close(key, next.hasNotArrived);
    const { nextAttemptAt, turnAt } = next;
    this.#change(key, "pending", ({ attempts, lastError }) => ({
      lastError: next.error ?? lastError,
      nextAttemptAt,
      turnAt,
      attempts: next.isAttempt ? attempts + 1 : attempts,
    }));
  }

  #close(key: DeliveryKey, hasNotArrived: boolean) {
    if (hasNotArrived) this.open.set(nameOf(key), (this.open.get(nameOf(key)) ?? 1) - 1);
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
