// Notices as e-mail: the subject, the plain text, and the HTML of email-html.ts. The subject is one line, always.

import { headlineOf, type MessageModel, messageModelOf } from "../message-model.ts";
import type { EmailMessage, Notice } from "../notice.ts";
import { emailHtml } from "./email-html.ts";

/** Longer ones are cut off by nearly every mail client; our own words take at most 110 of it. */
const MAX_SUBJECT = 200;

/** In the text a long name may be read further. */
const MAX_HEADLINE = 320;

export function emailMessage(notice: Notice): EmailMessage {
  const model = messageModelOf(notice);
  const tag = model.repetition === null ? model.tag : `${model.tag} (repeated)`;
  const subject = `${tag}: ${headlineOf(model, MAX_SUBJECT - tag.length - 2)}`;
  return { subject, html: emailHtml(model, subject), text: plainText(model) };
}

function plainText(model: MessageModel): string {
  const { tag, repetition, summary, fields, advice, footer } = model;
  const width = Math.max(...fields.map(({ label }) => label.length)) + 2;
  const rows = fields.map(({ label, value }) => `${`${label}:`.padEnd(width)}${value}`);
  const paragraphs = [
    `${tag.toUpperCase()}: ${headlineOf(model, MAX_HEADLINE)}`,
    repetition,
    summary,
    rows.join("\n"),
    `What to do: ${advice}`,
    `-- \n${footer}`,
  ];
  return `${paragraphs.filter((paragraph) => paragraph !== null).join("\n\n")}\n`;
}
