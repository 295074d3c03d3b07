// A Slack message drawn the way Slack draws it. What it does not know how to draw it names.

import { listOf, objectOf, textOf } from "../untrusted-json.ts";
import { withEmoji } from "./emoji.ts";
import { type Html, html, type Renderable } from "./html.ts";
import { renderMrkdwn } from "./mrkdwn.ts";

const NAMED_COLORS: Readonly<Record<string, string>> = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };

export function renderSlackMessage(body: unknown, time: Renderable): Html {
  const { text, blocks, attachments, username } = objectOf(body);
  const hasBlocks = listOf(blocks).length > 0;
  return html`<div class="slack">
    <div class="avatar" aria-hidden="true">B</div>
    <div class="said">
      <p class="who"><b>${textOf(username) || "Bursar"}</b> <span class="app">APP</span> ${time}</p>
      ${hasBlocks ? listOf(blocks).map(renderBlock) : html`<div class="mrkdwn">${renderMrkdwn(textOf(text))}</div>`}
      ${listOf(attachments).map(renderAttachment)}
    </div>
  </div>`;
}

function renderBlock(block: unknown): Renderable {
  const { type, text, fields, elements, accessory, alt_text: altText } = objectOf(block);
  switch (type) {
    case "header":
      return html`<h3>${renderText(text)}</h3>`;
    case "section":
      return html`<div class="section"><div>
        ${text !== undefined && html`<div class="mrkdwn">${renderText(text)}</div>`}
        ${listOf(fields).length > 0 && html`<div class="fields">${listOf(fields).map((field) => html`<div class="mrkdwn">${renderText(field)}</div>`)}</div>`}
        </div>${accessory !== undefined && renderElement(accessory)}</div>`;
    case "context":
      return html`<div class="context mrkdwn">${listOf(elements).map((element) => html`<span>${renderElement(element)}</span>`)}</div>`;
    case "actions":
      return html`<div class="actions">${listOf(elements).map(renderElement)}</div>`;
    case "divider":
      return html`<hr>`;
    case "image":
      return renderImage(altText);
    default:
      return html`<p class="unknown">a block of type ${JSON.stringify(type) ?? "nothing"}</p>`;
  }
}

function renderText(text: unknown): Renderable {
  const { type, text: content } = objectOf(text);
  return type === "mrkdwn" ? renderMrkdwn(textOf(content)) : withEmoji(textOf(content));
}

function renderElement(element: unknown): Renderable {
  const { type, text, style, url, alt_text: altText } = objectOf(element);
  if (type === "image") return renderImage(altText);
  if (type !== "button") return renderText(element);
  const isStyled = style === "primary" || style === "danger";
  return html`<span class="button ${isStyled && style}" title="${textOf(url)}">${renderText(text)}</span>`;
}

/** Nothing is loaded from outside, so a picture is its description. */
function renderImage(altText: unknown): Html {
  return html`<span class="image">🖼 ${textOf(altText)}</span>`;
}

function renderAttachment(attachment: unknown): Html {
  const { color, blocks, pretext, title, title_link: titleLink, text, fields, footer } = objectOf(attachment);
  const titleText = textOf(titleLink) === "" ? textOf(title) : `<${textOf(titleLink)}|${textOf(title)}>`;
  return html`${textOf(pretext) !== "" && html`<div class="mrkdwn">${renderMrkdwn(textOf(pretext))}</div>`}
    <div class="attachment" style="--bar: ${colorOf(textOf(color))}">
      ${titleText !== "" && html`<div class="mrkdwn"><b>${renderMrkdwn(titleText)}</b></div>`}
      ${textOf(text) !== "" && html`<div class="mrkdwn">${renderMrkdwn(textOf(text))}</div>`}
      ${listOf(fields).length > 0 && html`<div class="fields">${listOf(fields).map(renderLegacyField)}</div>`}
      ${listOf(blocks).map(renderBlock)}
      ${textOf(footer) !== "" && html`<div class="context mrkdwn">${renderMrkdwn(textOf(footer))}</div>`}
    </div>`;
}

function renderLegacyField(field: unknown): Html {
  const { title, value, short } = objectOf(field);
  const width = short === true ? "" : "wide";
  return html`<div class="mrkdwn ${width}"><b>${textOf(title)}</b>\n${renderMrkdwn(textOf(value))}</div>`;
}

/** A colour goes into a style attribute, where escaping alone does not protect. */
function colorOf(color: string): string {
  if (Object.hasOwn(NAMED_COLORS, color)) return NAMED_COLORS[color] ?? "";
  return /^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(color) ? `#${color.replace("#", "")}` : "#8d8d8d";
}
