// One message on the page: how it came and was answered, then the message as its reader sees it.

import type { InboxMessage } from "../message.ts";
import { renderEmail } from "./email.ts";
import { type Html, html, type Renderable } from "./html.ts";
import { renderJson } from "./json.ts";
import { renderSlackMessage } from "./slack-message.ts";

const DOORS = { slack: "Slack", resend: "Resend", send_email: "send_email binding", webhook: "Webhook" };

const VERDICTS = {
  valid: { tone: "good", text: "signature valid" },
  unknown_secret: { tone: "neutral", text: "secret unknown" },
  invalid: { tone: "bad", text: "signature invalid" },
  missing: { tone: "bad", text: "not signed" },
} as const;

export function renderCard(message: InboxMessage): Html {
  const { id, kind, via, path, accepted, problems, headers } = message;
  return html`<article id="message-${id}" class="card ${!accepted && "refused"}">
    <header>
      <span class="kind">${DOORS[via]}</span>
      <span class="path" title="${path}">${path}</span>
      ${renderTags(message)}
      ${renderTime(message)}
    </header>
    ${problems.length > 0 && html`<ul class="problems">${problems.map((problem) => html`<li>${problem}</li>`)}</ul>`}
    ${renderContent(message)}
    <details><summary>${kind === "webhook" ? "Headers" : "As it came"}</summary>
      ${renderJson(kind === "webhook" ? headers : { headers, body: message.body })}
    </details>
  </article>`;
}

function renderTags({ accepted, status, signature, repeats }: InboxMessage): Renderable {
  return [
    signature !== undefined && renderTag(VERDICTS[signature]),
    repeats !== undefined && repeats > 0 && renderTag({ tone: "neutral", text: `repeat ${repeats}` }),
    renderTag(
      accepted
        ? { tone: "good", text: `${status} accepted` }
        : { tone: "bad", text: status === null ? "no answer" : `${status} refused` },
    ),
  ];
}

function renderTag({ tone, text }: { tone: "good" | "bad" | "neutral"; text: string }): Html {
  return html`<span class="tag ${tone}">${text}</span>`;
}

/** In the machine's own zone: the reader sits at it. */
function renderTime({ received_at: receivedAt }: InboxMessage): Html {
  return html`<time datetime="${receivedAt}" title="${receivedAt}">${new Date(receivedAt).toLocaleTimeString("en-GB")}</time>`;
}

function renderContent(message: InboxMessage): Html {
  const { kind, body } = message;
  // What is no JSON object has no parts to draw.
  if (typeof body !== "object" || kind === "webhook") return renderJson(body);
  return kind === "slack" ? renderSlackMessage(body, renderTime(message)) : renderEmail(message);
}
