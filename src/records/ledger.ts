// The ledgers of spend in Postgres, as flows load and save them. Types only.

import type { CallsAround, Ledger } from "../budget/counting.ts";
import type { Instant } from "../budget/instant.ts";
import type { NanoUsd } from "../budget/money.ts";
import type { SpendRecord } from "../budget/spend.ts";
import type { Subject, TenantId } from "../budget/tenant.ts";
import type { AuditNote } from "./audit.ts";
import type { TenantRecord } from "./tenant.ts";

/** A ledger belongs to a subject: what is said of another subject of the tenant does not concern it. */
export interface LedgerOwner {
  readonly tenantId: TenantId;
  readonly subject: Subject;
}

export interface LedgerQuery extends LedgerOwner {
  /** When the read was answered for which the calls are summed. */
  readonly answeredAt: Instant;
}

export interface OpenLedger {
  readonly tenant: TenantRecord;
  /** Null before the first read. */
  readonly ledger: Ledger | null;
  /** Changes with every change of the spend in Postgres. */
  readonly version: number;
  readonly calls: CallsAround;
}

export interface LedgerChange extends LedgerOwner {
  readonly ledger: Ledger;
  /** The version of the ledger that the change was made from. */
  readonly version: number;
}

/** A finished call that adds to a ledger. */
export interface LedgerCall extends LedgerOwner {
  /** 128 bits in hex. */
  readonly id: string;
  readonly endedAt: Instant;
  readonly costNanoUsd: NanoUsd;
}

/** A lower bound of the spend of a period, from LiteLLM's webhook. */
export interface SpendBound extends LedgerOwner {
  readonly spendNanoUsd: NanoUsd;
  readonly observedAt: Instant;
  readonly periodStartedAt: Instant;
  readonly resetsAt: Instant | null;
}

/** A tenant's spend after a batch of reports. */
export interface CountedSpend {
  readonly record: SpendRecord;
  /** Null before the first read. */
  readonly baseAnsweredAt: Instant | null;
  /** The cost of the calls that the base may or may not contain. */
  readonly unsettledNanoUsd: NanoUsd;
}

/** What a batch of reports adds, in one transaction. */
export interface Reported {
  readonly calls: readonly LedgerCall[];
  readonly bounds: readonly SpendBound[];
  readonly notes: readonly AuditNote[];
}
