// Notices as e-mail: the subject, the plain text, and the HTML of email-html.ts. The subject is one line, always.

import { headlineOf, type Telling, tellingOf } from "../message-model.ts";
import type { EmailMessage, Notice } from "../notice.ts";
import { emailHtml } from "./email-html.ts";

/** Longer ones are cut off by nearly every mail client; our own words take at most 110 of it. */
const MAX_SUBJECT = 200;

/** In the text a long name may be read further. */
const MAX_HEADLINE = 320;

export function emailMessage(notice: Notice): EmailMessage {
  const telling = tellingOf(notice);
  const tag = telling.repetition === null ? telling.tag : `${telling.tag} (repeated)`;
  const subject = `${tag}: ${headlineOf(telling, MAX_SUBJECT - tag.length - 2)}`;
  return { subject, html: emailHtml(telling, subject), text: plainText(telling) };
}

function plainText(telling: Telling): string {
  const { tag, repetition, summary, facts, advice, footer } = telling;
  const width = Math.max(...facts.map(({ label }) => label.length)) + 2;
  const rows = facts.map(({ label, value }) => `${`${label}:`.padEnd(width)}${value}`);
  const paragraphs = [
    `${tag.toUpperCase()}: ${headlineOf(telling, MAX_HEADLINE)}`,
    repetition,
    summary,
    rows.join("\n"),
    `What to do: ${advice}`,
    `-- \n${footer}`,
  ];
  return `${paragraphs.filter((paragraph) => paragraph !== null).join("\n\n")}\n`;
}
