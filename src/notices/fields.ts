// The rows of label and value in a notice, the same for every kind of channel. At most ten: Slack shows no more.

import { dollars } from "../budget/money.ts";
import type { AlertRecord } from "../records/alert.ts";
import type { BudgetSnapshot } from "./budget-snapshot.ts";
import { dateOf, moneyOf, textOf } from "./detail.ts";
import { dayText, instantText, percent } from "./format.ts";
import type { TestNotice } from "./notice.ts";
import { cut, oneLine } from "./sanitize.ts";

export interface Field {
  readonly label: string;
  /** One line, not escaped; may come from outside. */
  readonly value: string;
}

/** Real names of channels and tenants are shorter. */
const MAX_NAME = 120;

export function fieldsOf(alert: AlertRecord, snapshot: BudgetSnapshot): Field[] {
  return [...amounts(snapshot), ...eventFields(alert)];
}

export function testFields({ channelName, tenantId }: TestNotice["test"]): Field[] {
  const scope = tenantId === null ? "the whole platform" : `tenant ${cut(oneLine(tenantId) ?? "–", MAX_NAME)}`;
  return [
    { label: "Channel", value: cut(oneLine(channelName) ?? "–", MAX_NAME) },
    { label: "Notices about", value: scope },
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

/** The rows from the event's detail. */
function eventFields({ eventType, detail }: AlertRecord): Field[] {
  const money = (label: string, field: string) => optionalField(label, moneyOf(detail, field), dollars);
  const text = (label: string, field: string) => optionalField(label, textOf(detail, field), (value) => value);
  switch (eventType) {
    case "override_granted":
      return [
        ...money("Override", "override_amount"),
        ...optionalField("Override ends", dateOf(detail, "expires_at"), instantText),
        ...text("Granted by", "granted_by"),
        ...text("Reason", "reason"),
      ];
    case "override_ended":
      return [
        ...money("Override", "override_amount"),
        ...optionalField("Override ended", dateOf(detail, "revoked_at") ?? dateOf(detail, "expires_at"), instantText),
        ...revokerOrGranter(text("Revoked by", "revoked_by"), text("Granted by", "granted_by")),
        ...text("Reason", "reason"),
      ];
    case "projected_limit_exceeded":
      return [
        ...money("Projected spend", "projected_spend"),
        ...optionalField("Limit exceeded on", dateOf(detail, "projected_exceeded_date"), dayText),
      ];
    default:
      return [];
  }
}

/** There is room for one row; the one who revoked the override matters more. */
function revokerOrGranter(revokedBy: Field[], grantedBy: Field[]): Field[] {
  return revokedBy.length > 0 ? revokedBy : grantedBy;
}

function optionalField<T>(label: string, value: T | null, show: (value: T) => string): Field[] {
  return value === null ? [] : [{ label, value: show(value) }];
}
