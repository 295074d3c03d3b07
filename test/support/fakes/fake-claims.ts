// Claims in memory, atomic as in Redis. `isAway` makes every verb throw, as when Redis is down or slow.

import type { Instant } from "../../../src/budget/instant.ts";
import type { TenantId } from "../../../src/budget/tenant.ts";
import { Outage } from "../../../src/ports/outage.ts";
import type { Claims, ReadClaim, SharedRead, TurnRequest } from "../../../src/ports/ports.ts";
import type { DeliveryKey } from "../../../src/records/delivery.ts";
import type { IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../../../src/records/idempotency.ts";

const nameOf = ({ actor, route, key }: IdempotencyKey) => JSON.stringify([actor, route, key]);

export class FakeClaims implements Claims {
  isAway = false;
  /** `tenant colo`. */
  readonly reads = new Map<string, "pending" | SharedRead>();
  /** `tenant name` → when the read is due. */
  readonly readsDue = new Map<string, Instant>();
  /** `alert channel` → "sent", or the id of the message that is sending the notice. */
  readonly notices = new Map<string, string>();
  /** `channel priority` → the next free turn. */
  readonly turns = new Map<string, Instant>();
  readonly answers = new Map<string, { bodyHash: string; answer: IdempotentAnswer | null }>();

  async claimRead({ tenantId, colo }: ReadClaim): Promise<"claimed" | "pending" | SharedRead> {
    this.#reach();
    const name = `${tenantId} ${colo}`;
    const present = this.reads.get(name);
    if (present === undefined) this.reads.set(name, "pending");
    return present ?? "claimed";
  }

  async shareRead({ tenantId, colo }: ReadClaim, read: SharedRead, _leftMs: number) {
    this.#reach();
    const name = `${tenantId} ${colo}`;
    if (this.reads.has(name)) this.reads.set(name, read);
  }

  async claimIdempotency(key: IdempotencyKey, bodyHash: string): Promise<IdempotencyClaim> {
    this.#reach();
    const present = this.answers.get(nameOf(key));
    if (present === undefined) {
      this.answers.set(nameOf(key), { bodyHash, answer: null });
      return { kind: "claimed" };
    }
    if (present.bodyHash !== bodyHash) return { kind: "other_body" };
    return present.answer === null ? { kind: "running" } : { kind: "done", answer: present.answer };
  }

  async finishIdempotency(key: IdempotencyKey, bodyHash: string, answer: IdempotentAnswer | null) {
    this.#reach();
    if (answer === null) this.answers.delete(nameOf(key));
    else this.answers.set(nameOf(key), { bodyHash, answer });
  }

  async scheduledReadAt(tenantId: TenantId, name: string) {
    this.#reach();
    return this.readsDue.get(`${tenantId} ${name}`) ?? null;
  }

  async noteScheduledRead(tenantId: TenantId, name: string, dueAt: Instant) {
    this.#reach();
    this.readsDue.set(`${tenantId} ${name}`, dueAt);
  }

  async claimNotice({ alertId, channelId }: DeliveryKey, messageId: string): Promise<"claimed" | "sending" | "sent"> {
    this.#reach();
    const name = `${alertId} ${channelId}`;
    const present = this.notices.get(name);
    if (present === "sent") return "sent";
    if (present !== undefined && present !== messageId) return "sending";
    this.notices.set(name, messageId);
    return "claimed";
  }

  async noteNoticeSent({ alertId, channelId }: DeliveryKey) {
    this.#reach();
    this.notices.set(`${alertId} ${channelId}`, "sent");
  }

  async releaseNotice({ alertId, channelId }: DeliveryKey) {
    this.#reach();
    this.notices.delete(`${alertId} ${channelId}`);
  }

  async reserveTurn({ channelId, priority, held, notBefore, intervalMs }: TurnRequest) {
    this.#reach();
    const name = `${channelId} ${priority}`;
    const critical = this.turns.get(`${channelId} critical`) ?? 0;
    if (held !== null && critical <= held) return held;
    const at = Math.max(notBefore, critical, this.turns.get(name) ?? 0);
    this.turns.set(name, at + intervalMs);
    return at;
  }

  async ping() {
    this.#reach();
  }

  #reach() {
    if (this.isAway) throw new Outage("redis", "away", null);
  }
}

/** Claims that expire, as in Redis. */
export class TimedClaims extends FakeClaims {
  readonly #clock: () => Instant;
  readonly #until = new Map<string, Instant>();
  readonly #shared = new Map<string, SharedRead>();

  constructor(clock: () => Instant) {
    super();
    this.#clock = clock;
  }

  override async claimRead(claim: ReadClaim): Promise<"claimed" | "pending" | SharedRead> {
    await this.ping();
    const name = readName(claim);
    if (!this.#take(name, claim.seconds)) return this.#shared.get(name) ?? "pending";
    this.#shared.delete(name);
    return "claimed";
  }

  override async shareRead(claim: ReadClaim, read: SharedRead, leftMs: number): Promise<void> {
    const name = readName(claim);
    if (!this.#isTaken(name)) return;
    this.#shared.set(name, read);
    this.#until.set(name, this.#clock() + leftMs);
  }

  #isTaken(name: string): boolean {
    return (this.#until.get(name) ?? 0) > this.#clock();
  }

  #take(name: string, seconds: number): boolean {
    if (this.#isTaken(name)) return false;
    this.#until.set(name, this.#clock() + seconds * 1_000);
    return true;
  }
}

const readName = ({ tenantId, colo, seconds }: ReadClaim) => `read ${tenantId} ${colo} ${seconds}`;
