// The progress bar of an e-mail, made of table cells: it ends at the block threshold and has a gap at the limit.

import { dollars, percentNumber, WHOLE } from "../../budget/money.ts";
import type { BudgetSnapshot, KnownState } from "../budget-snapshot.ts";
import { percent } from "../format.ts";
import { type Html, html } from "./html.ts";

const FILL: Readonly<Record<KnownState, string>> = {
  ok: "#2f9e54",
  warning: "#e8a90c",
  grace: "#dc3b32",
  blocked: "#7d1210",
};

export function progressHtml(snapshot: BudgetSnapshot): Html {
  const { used, budgetState, limitNanoUsd, overLimitNanoUsd, blocksAtNanoUsd, observes } = snapshot;
  const isZero = used === null;
  const caption = isZero ? "spent of a limit of zero" : `of ${dollars(limitNanoUsd)} used`;
  const over = !isZero && overLimitNanoUsd > 0n ? `${dollars(overLimitNanoUsd)} over` : "";
  const end = isZero ? "" : `${observes ? "would block" : "blocks"} at ${dollars(blocksAtNanoUsd)}`;
  return html`<p class="t" style="margin:0 0 8px;font-size:14px;line-height:34px;color:#1a1d21"><span style="font-size:30px;font-weight:700">${isZero ? dollars(snapshot.spendNanoUsd) : percent(used)}</span> ${caption}</p>
    <table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="table-layout:fixed;border-collapse:collapse"><tr>${cells(snapshot, FILL[budgetState])}</tr></table>
    <table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr>
    <td class="m" style="padding-top:6px;font-size:12px;line-height:16px;color:#5a6270">${over}</td>
    <td class="m" align="right" style="padding-top:6px;font-size:12px;line-height:16px;color:#5a6270">${end}</td>
    </tr></table>`;
}

/**
 * The cells up to the limit, the gap, and the cells from the limit to the block threshold; in basis points of the
 * limit.
 */
function cells({ used, graceThreshold }: BudgetSnapshot, color: string): Html[] {
  const reached = used ?? graceThreshold;
  const before = least(reached, WHOLE);
  const grace = graceThreshold - WHOLE;
  const beyond = least(reached > WHOLE ? reached - WHOLE : 0n, grace);
  const width = (share: bigint) => `${percentNumber((share * WHOLE) / graceThreshold)}%`;
  const cell = (share: bigint, isFull: boolean) =>
    share === 0n
      ? []
      : [
          isFull
            ? html`<td width="${width(share)}" height="14" style="height:14px;font-size:0;line-height:0;background:${color}">&nbsp;</td>`
            : html`<td class="e" width="${width(share)}" height="14" style="height:14px;font-size:0;line-height:0;background:#e3e7eb">&nbsp;</td>`,
        ];
  const gap =
    grace === 0n ? [] : [html`<td width="3" height="14" style="width:3px;font-size:0;line-height:0">&nbsp;</td>`];
  return [
    ...cell(before, true),
    ...cell(WHOLE - before, false),
    ...gap,
    ...cell(beyond, true),
    ...cell(grace - beyond, false),
  ];
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
