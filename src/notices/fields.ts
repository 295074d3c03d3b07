// The figures of a notice as rows of label and value, the same in every rendering. At most ten: Slack shows no more.

import { dollars } from "../budget/money.ts";
import type { AlertRecord } from "../records/alert-record.ts";
import type { BudgetSnapshot } from "./budget-snapshot.ts";
import { dateOf, moneyOf, textOf } from "./detail.ts";
import { dayText, instantText, percent } from "./format.ts";
import type { TestNotice } from "./notice.ts";
import { cut, oneLine } from "./sanitize.ts";

export interface Field {
  readonly label: string;
  /** One line; not escaped, and some of them came from outside. */
  readonly value: string;
}

/** Names of channels and tenants are shorter than this, unless somebody means harm. */
const MAX_NAME = 120;

export function fieldsOf(alert: AlertRecord, snapshot: BudgetSnapshot): Field[] {
  return [...amounts(snapshot), ...particulars(alert)];
}

export function testFields({ channelName, tenantId }: TestNotice["test"]): Field[] {
  const whose = tenantId === null ? "the whole platform" : `tenant ${cut(oneLine(tenantId) ?? "–", MAX_NAME)}`;
  return [
    { label: "Channel", value: cut(oneLine(channelName) ?? "–", MAX_NAME) },
    { label: "Notices about", value: whose },
  ];
}

function amounts(snapshot: BudgetSnapshot): Field[] {
  const { limitNanoUsd, used, overrideNanoUsd, overLimitNanoUsd, blocksAtNanoUsd, untilBlockNanoUsd } = snapshot;
  const limit = dollars(limitNanoUsd);
  const distance = untilBlockNanoUsd === 0n ? "reached" : `${dollars(untilBlockNanoUsd)} to go`;
  return [
    { label: "Spend", value: dollars(snapshot.spendNanoUsd) },
    {
      label: "Limit",
      value:
        overrideNanoUsd === 0n
          ? limit
          : `${limit} (${dollars(snapshot.maxBudgetNanoUsd)} budget + ${dollars(overrideNanoUsd)} override)`,
    },
    { label: "Used", value: used === null ? "– (the limit is zero)" : percent(used) },
    {
      label: "Remaining",
      value:
        overLimitNanoUsd > 0n
          ? `none, ${dollars(overLimitNanoUsd)} over the limit`
          : dollars(snapshot.remainingNanoUsd),
    },
    {
      label: snapshot.observes ? "Would block at" : "Blocks at",
      value:
        limitNanoUsd === 0n
          ? "any spend"
          : `${dollars(blocksAtNanoUsd)} (${percent(snapshot.graceThreshold)}), ${distance}`,
    },
    { label: "Resets", value: instantText(snapshot.resetsAt) },
  ];
}

/** What the event's own detail adds to the figures. */
function particulars({ eventType, detail }: AlertRecord): Field[] {
  const money = (label: string, field: string) => fact(label, moneyOf(detail, field), dollars);
  const text = (label: string, field: string) => fact(label, textOf(detail, field), (value) => value);
  switch (eventType) {
    case "override_granted":
      return [
        ...money("Override", "override_amount"),
        ...fact("Override ends", dateOf(detail, "expires_at"), instantText),
        ...text("Granted by", "granted_by"),
        ...text("Reason", "reason"),
      ];
    case "override_ended":
      return [
        ...money("Override", "override_amount"),
        ...fact("Override ended", dateOf(detail, "revoked_at") ?? dateOf(detail, "expires_at"), instantText),
        ...whoOf(text("Revoked by", "revoked_by"), text("Granted by", "granted_by")),
        ...text("Reason", "reason"),
      ];
    case "projected_limit_exceeded":
      return [
        ...money("Projected spend", "projected_spend"),
        ...fact("Limit exceeded on", dateOf(detail, "projected_exceeded_date"), dayText),
      ];
    default:
      return [];
  }
}

/** There is room for one of them; who ended it before its time is the news. */
function whoOf(revokedBy: Field[], grantedBy: Field[]): Field[] {
  return revokedBy.length > 0 ? revokedBy : grantedBy;
}

function fact<T>(label: string, value: T | null, show: (value: T) => string): Field[] {
  return value === null ? [] : [{ label, value: show(value) }];
}
