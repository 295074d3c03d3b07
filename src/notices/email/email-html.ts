// The layout of every e-mail: tables and inline styles, because mail clients support little else. Loads nothing from
// outside, has no images, and no link but its button. `html` escapes every value.

import type { Tone } from "../copy/copy.ts";
import type { Fact } from "../facts.ts";
import { type Budget, type Button, headlineOf, type MessageModel } from "../message-model.ts";
import { barHtml } from "./email-bar.ts";
import { type Html, html } from "./html.ts";

/** White text on each color has a contrast of at least 4.5. */
const ACCENTS: Readonly<Record<Tone, string>> = {
  warning: "#8f6400",
  critical: "#c8231b",
  blocked: "#7d1210",
  resolved: "#1c7539",
  reset: "#0f6b78",
  override: "#2358c0",
  suspended: "#454d5c",
  resumed: "#1c7539",
  platform: "#c8231b",
  test: "#5a6270",
};

const BUTTON = "#2358c0";

const MAX_HEADLINE = 240;

const FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/** Inline styles are the light theme; clients that support media queries can use the dark one. */
const STYLE = `body{margin:0;padding:0}
@media(max-width:620px){.c{width:100%!important}.p{padding-left:20px!important;padding-right:20px!important}.a{font-size:18px!important}}
@media(prefers-color-scheme:dark){.b{background:#131518!important}.c{background:#1e2126!important;border-right-color:#343942!important;border-bottom-color:#343942!important;border-left-color:#343942!important}.t{color:#f1f3f5!important}.m{color:#a9b1bc!important}.e{background:#3a404a!important}.k{background:#f1f3f5!important}}`;

export function emailHtml(model: MessageModel, subject: string): string {
  return html`<!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="supported-color-schemes" content="light dark">
    <title>${subject}</title>
    <style>${STYLE}</style>
    </head>
    <body class="b" style="margin:0;padding:0;background:#f1f3f5">
    <table role="presentation" class="b" width="100%" cellpadding="0" cellspacing="0" style="background:#f1f3f5"><tr><td align="center" style="padding:24px 12px">
    ${card(model)}
    </td></tr></table>
    </body>
    </html>`.text;
}

function card(model: MessageModel): Html {
  const { tone, tag, budget, repetition, advice, facts, button, footer } = model;
  const accent = ACCENTS[tone];
  return html`<table role="presentation" class="c" width="600" cellpadding="0" cellspacing="0" style="width:600px;max-width:600px;background:#ffffff;border:1px solid #dde1e6;border-top:5px solid ${accent};border-radius:8px;${FONT}">
    ${row(
      "28px 36px 0",
      html`<span style="display:inline-block;padding:4px 12px;border-radius:12px;background:${accent};color:#ffffff;font-size:12px;line-height:16px;font-weight:600;letter-spacing:.4px">${tag.toUpperCase()}</span>
        ${repetition === null ? null : html` <span class="m" style="font-size:13px;line-height:20px;color:#5a6270">${repetition}</span>`}
        <h1 class="t" style="margin:14px 0 0;font-size:22px;line-height:30px;font-weight:600;color:#1a1d21;word-break:break-word">${headlineOf(model, MAX_HEADLINE)}</h1>`,
    )}
    ${budget === null ? null : budgetRows(budget)}
    ${facts.length === 0 ? null : row("16px 36px 0", html`${facts.map(factLine)}`)}
    ${advice === null ? null : row("20px 36px 0", html`<p class="t" style="margin:0;font-size:14px;line-height:21px;color:#1a1d21">${advice}</p>`)}
    ${button === null ? null : row("24px 36px 0", buttonHtml(button))}
    ${row("24px 36px 26px", html`<p class="m" style="margin:0;font-size:12px;line-height:18px;color:#5a6270;word-break:break-word">${footer}</p>`)}
    </table>`;
}

function row(padding: string, content: Html): Html {
  return html`<tr><td class="p" style="padding:${padding}">${content}</td></tr>`;
}

function budgetRows({ snapshot, bar, numbers: { amounts, blocks, resets } }: Budget): Html {
  return html`${bar === null ? null : row("20px 36px 0", barHtml(bar, snapshot.budgetState))}
    ${blocks === null ? null : row("6px 36px 0", blocksHtml(blocks))}
    ${row("16px 36px 0", html`<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="table-layout:fixed"><tr>${amounts.map(amountCell)}</tr></table>`)}
    ${row("8px 36px 0", html`<p class="m" style="margin:0;font-size:13px;line-height:18px;color:#5a6270">${resets}</p>`)}`;
}

/** Under the bar, with the mark that the bar has there. */
function blocksHtml(blocks: string): Html {
  return html`<p class="m" style="margin:0;font-size:12px;line-height:16px;color:#5a6270"><span class="k" style="display:inline-block;width:4px;height:10px;background:#1a1d21"></span> ${blocks}</p>`;
}

function amountCell({ label, value }: Fact): Html {
  return html`<td width="33%" valign="top">
    <p class="m" style="margin:0;font-size:12px;line-height:16px;color:#5a6270">${label}</p>
    <p class="t a" style="margin:2px 0 0;font-size:22px;line-height:28px;font-weight:600;color:#1a1d21;word-break:break-word">${value}</p>
    </td>`;
}

function factLine({ label, value }: Fact): Html {
  return html`<p class="t" style="margin:0 0 4px;font-size:14px;line-height:20px;color:#1a1d21;word-break:break-word"><span class="m" style="color:#5a6270">${label}:</span> ${value}</p>`;
}

/** A colored cell around the link: Outlook ignores the padding of a link. */
function buttonHtml({ label, url }: Button): Html {
  return html`<table role="presentation" cellpadding="0" cellspacing="0"><tr><td bgcolor="${BUTTON}" style="background:${BUTTON};border-radius:6px;padding:10px 20px">
    <a href="${url}" style="color:#ffffff;font-size:14px;line-height:20px;font-weight:600;text-decoration:none;${FONT}">${label}</a>
    </td></tr></table>`;
}
