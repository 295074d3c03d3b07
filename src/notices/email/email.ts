// Renders a notice as e-mail: subject, plain text, and the HTML of email-html.ts. The subject is always one line.

import { barText } from "../bar.ts";
import { headlineOf, type MessageModel, messageModelOf } from "../message-model.ts";
import type { EmailMessage, Notice } from "../notice.ts";
import { emailHtml } from "./email-html.ts";

/** Nearly every mail client cuts longer subjects; Bursar's own copy takes at most 110 characters. */
const MAX_SUBJECT = 200;

/** The plain text has room for longer names. */
const MAX_HEADLINE = 320;

export function emailMessage(notice: Notice, publicUrl: string | null = null): EmailMessage {
  const model = messageModelOf(notice, publicUrl);
  const tag = model.repetition === null ? model.tag : `${model.tag} (${model.repetition})`;
  const subject = `${tag}: ${headlineOf(model, MAX_SUBJECT - tag.length - 2)}`;
  return { subject, html: emailHtml(model, subject), text: plainText(model, tag) };
}

function plainText(model: MessageModel, tag: string): string {
  const { budget, facts, advice, button, footer } = model;
  const rows = [...(budget?.numbers.amounts ?? []), ...facts];
  const width = Math.max(...rows.map(({ label }) => label.length)) + 2;
  const lines = rows.map(({ label, value }) => `${`${label}:`.padEnd(width)}${value}`);
  const { blocks = null, resets = null } = budget?.numbers ?? {};
  const bar = budget?.bar ?? null;
  const paragraphs = [
    `${tag.toUpperCase()}: ${headlineOf(model, MAX_HEADLINE)}.`,
    bar === null ? null : barText(bar),
    [...lines, blocks, resets].filter((line) => line !== null).join("\n"),
    advice === null ? null : `What to do: ${advice}`,
    button === null ? null : `${button.label}: ${button.url}`,
    `-- \n${footer}`,
  ];
  return `${paragraphs.filter((paragraph) => paragraph !== null).join("\n\n")}\n`;
}
