// Claims in memory, one at a time as Redis does them. `isAway` makes every verb throw, as when Redis is down or slow.

import type { TenantId } from "../../src/budget/tenant.ts";
import { Outage } from "../../src/outage.ts";
import type { Claims, IdempotencyClaim, IdempotencyKey, IdempotentAnswer } from "../../src/ports.ts";

const nameOf = ({ actor, route, key }: IdempotencyKey) => JSON.stringify([actor, route, key]);

export class FakeClaims implements Claims {
  isAway = false;
  readonly refreshes = new Set<string>();
  readonly answers = new Map<string, { bodyHash: string; answer: IdempotentAnswer | null }>();

  async claimRefresh(tenantId: TenantId, colo: string) {
    this.#reach();
    const name = `${tenantId} ${colo}`;
    const isFree = !this.refreshes.has(name);
    this.refreshes.add(name);
    return isFree;
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

  async ping() {
    this.#reach();
  }

  #reach() {
    if (this.isAway) throw new Outage("redis", "away", null);
  }
}
