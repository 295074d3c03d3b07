// The one layout of our e-mails: tables and inline styles, because mail clients know little else. Loads nothing from
// outside, shows no picture, links nowhere. Values are escaped by `html`.

import type { Tone } from "../copy/copy.ts";
import type { Field } from "../fields.ts";
import { headlineOf, type MessageModel } from "../message-model.ts";
import { progressHtml } from "./email-progress.ts";
import { type Html, html } from "./html.ts";

/** White text on each of them has a contrast of at least 4.5. */
const ACCENTS: Readonly<Record<Tone, string>> = {
  warning: "#8f6400",
  critical: "#c8231b",
  blocked: "#7d1210",
  resolved: "#1c7539",
  projected: "#6b4bb3",
  reset: "#0f6b78",
  override: "#2358c0",
  suspended: "#454d5c",
  resumed: "#1c7539",
  platform: "#c8231b",
  test: "#5a6270",
};

const MAX_HEADLINE = 240;

const FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/** Inline styles are the light ones; only clients that know media queries are shown the dark ones. */
const STYLE = `body{margin:0;padding:0}
@media(max-width:620px){.c{width:100%!important}.p{padding-left:20px!important;padding-right:20px!important}}
@media(prefers-color-scheme:dark){.b{background:#131518!important}.c{background:#1e2126!important;border-right-color:#343942!important;border-bottom-color:#343942!important;border-left-color:#343942!important}.t{color:#f1f3f5!important}.m{color:#a9b1bc!important}.l{border-color:#343942!important}.n{background:#272b32!important}.e{background:#3a404a!important}}`;

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
    <div style="display:none;max-height:0;overflow:hidden;mso-hide:all">${model.summary}</div>
    <table role="presentation" class="b" width="100%" cellpadding="0" cellspacing="0" style="background:#f1f3f5"><tr><td align="center" style="padding:24px 12px">
    ${card(model)}
    </td></tr></table>
    </body>
    </html>`.text;
}

function card(model: MessageModel): Html {
  const { tone, tag, snapshot, repetition, summary, advice, fields, footer } = model;
  const accent = ACCENTS[tone];
  return html`<table role="presentation" class="c" width="600" cellpadding="0" cellspacing="0" style="width:600px;max-width:600px;background:#ffffff;border:1px solid #dde1e6;border-top:5px solid ${accent};border-radius:8px;${FONT}">
    ${row(
      "28px 36px 0",
      html`<span style="display:inline-block;padding:4px 12px;border-radius:12px;background:${accent};color:#ffffff;font-size:12px;line-height:16px;font-weight:700;letter-spacing:.4px">${tag.toUpperCase()}</span>
        <h1 class="t" style="margin:14px 0 0;font-size:22px;line-height:30px;font-weight:700;color:#1a1d21;word-break:break-word">${headlineOf(model, MAX_HEADLINE)}</h1>
        ${repetition === null ? null : html`<p class="m" style="margin:8px 0 0;font-size:14px;line-height:20px;color:#5a6270">${repetition}</p>`}`,
    )}
    ${snapshot === null ? null : row("20px 36px 0", progressHtml(snapshot))}
    ${row("20px 36px 0", html`<p class="t" style="margin:0;font-size:15px;line-height:23px;color:#1a1d21">${summary}</p>`)}
    ${row("16px 36px 0", html`<table role="presentation" width="100%" cellpadding="0" cellspacing="0">${fields.map(factRow)}</table>`)}
    ${row(
      "20px 36px 0",
      html`<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td class="n" style="padding:14px 18px;background:#f4f6f8;border-left:4px solid ${accent};border-radius:4px">
        <p class="t" style="margin:0;font-size:14px;line-height:21px;color:#1a1d21"><strong>What to do</strong><br>${advice}</p>
        </td></tr></table>`,
    )}
    ${row("20px 36px 26px", html`<p class="m" style="margin:0;font-size:12px;line-height:18px;color:#5a6270;word-break:break-word">${footer}</p>`)}
    </table>`;
}

function row(padding: string, content: Html): Html {
  return html`<tr><td class="p" style="padding:${padding}">${content}</td></tr>`;
}

function factRow({ label, value }: Field): Html {
  const cell = "padding:9px 0;border-bottom:1px solid #e7eaee;font-size:14px;line-height:20px;vertical-align:top";
  return html`<tr>
    <td class="m l" width="150" style="${cell};width:150px;color:#5a6270">${label}</td>
    <td class="t l" style="${cell};color:#1a1d21;font-weight:600;word-break:break-word">${value}</td>
    </tr>`;
}
