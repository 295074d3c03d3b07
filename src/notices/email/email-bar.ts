// The bar of an e-mail, made of table cells. The part over the limit is hatched; Outlook, which knows no gradients,
// shows it in a lighter color.

import { percentNumber } from "../../budget/money.ts";
import type { BarPart } from "../bar.ts";
import type { KnownState } from "../budget-snapshot.ts";
import { type Html, html } from "./html.ts";

const FILL: Readonly<Record<KnownState, string>> = {
  ok: "#2f9e54",
  warning: "#e8a90c",
  grace: "#dc3b32",
  blocked: "#a3201c",
};

const LIGHT: Readonly<Record<KnownState, string>> = {
  ok: "#9fd6b1",
  warning: "#f6dc94",
  grace: "#f2a9a4",
  blocked: "#dd9a97",
};

const HEIGHT = "height:16px;font-size:0;line-height:0";

export function barHtml(parts: readonly BarPart[], state: KnownState): Html {
  return html`<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="table-layout:fixed;border-collapse:collapse"><tr>${parts.map((part) => cell(part, state))}</tr></table>`;
}

function cell({ kind, share }: BarPart, state: KnownState): Html {
  const width = `${percentNumber(share)}%`;
  const [fill, light] = [FILL[state], LIGHT[state]];
  switch (kind) {
    case "full":
      return html`<td width="${width}" height="16" bgcolor="${fill}" style="${HEIGHT};background:${fill}">&nbsp;</td>`;
    case "over":
      return html`<td width="${width}" height="16" bgcolor="${light}" style="${HEIGHT};background:${light};background:repeating-linear-gradient(135deg,${fill} 0,${fill} 4px,${light} 4px,${light} 8px)">&nbsp;</td>`;
    case "empty":
      return html`<td class="e" width="${width}" height="16" bgcolor="#e3e7eb" style="${HEIGHT};background:#e3e7eb">&nbsp;</td>`;
    default: {
      const thickness = kind === "limit" ? 2 : 4;
      return html`<td class="k" width="${thickness}" height="16" bgcolor="#1a1d21" style="width:${thickness}px;${HEIGHT};background:#1a1d21">&nbsp;</td>`;
    }
  }
}
