// JSON drawn for reading: indented, its keys and values told apart.

import { type Html, html, type Renderable } from "./html.ts";

const TOKEN = /(?<string>"(?:\\.|[^"\\])*")(?<colon>:)?|(?<literal>-?\d[\d.eE+-]*|true|false|null)/g;

export function renderJson(value: unknown): Html {
  const text = JSON.stringify(value, null, 2) ?? "";
  const parts: Renderable[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const { string, colon, literal } = match.groups ?? {};
    const kind = colon !== undefined ? "key" : string !== undefined ? "string" : "literal";
    parts.push(text.slice(end, match.index), html`<span class="${kind}">${string ?? literal}</span>`, colon);
    end = match.index + match[0].length;
  }
  return html`<pre class="json">${parts}${text.slice(end)}</pre>`;
}
