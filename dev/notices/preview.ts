// `npm run notices:preview -- <directory>`: writes a sample of every kind of notice to a directory. Sends nothing.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import { eventBody } from "../../src/notices/event.ts";
import { discordMessage } from "../../src/notices/providers/discord.ts";
import { pagerDutyEvent } from "../../src/notices/providers/pagerduty.ts";
import { slackMessage } from "../../src/notices/providers/slack.ts";
import { teamsMessage } from "../../src/notices/providers/teams.ts";
import type { InboxMessage, Kind } from "../inbox/message.ts";
import { messagesPage } from "../inbox/page/page.ts";
import { SAMPLES } from "./samples.ts";

/** The button of a preview leads to the local stack. */
const PUBLIC_URL = "http://localhost:8787";

const {
  args: [directory],
} = readCommandLine(
  defineCommand({
    name: "npm run notices:preview --",
    description: "Writes a sample of every kind of notice to a directory, with an index.html to open. Sends nothing.",
    exitCodes: { 0: "the samples were written", 1: "a file could not be written" },
  }).argument("<directory>", "where to write; is created if it does not exist"),
);

await mkdir(directory, { recursive: true }).catch((error: Error) => {
  console.error(`${directory} cannot be created: ${error.message}`);
  process.exit(1);
});
const write = (file: string, content: string) => writeFile(join(directory, file), content);
const jsonOf = (value: unknown) => JSON.stringify(value, null, 2);

/** A message as the inbox would have kept it, for its picture. */
function asReceived(kind: Kind, name: string, body: unknown): InboxMessage {
  const via = kind === "email" ? "resend" : kind;
  const received = { received_at: new Date(0).toISOString(), accepted: true, status: 200, headers: {}, problems: [] };
  return { id: name, kind, via, path: `/${name}`, body, summary: name, ...received };
}

for (const [name, notice] of Object.entries(SAMPLES)) {
  const email = emailMessage(notice, PUBLIC_URL);
  const slack = slackMessage(notice, PUBLIC_URL);
  const teams = teamsMessage(notice, PUBLIC_URL);
  const discord = discordMessage(notice, PUBLIC_URL);
  const pagerduty = pagerDutyEvent(notice, PUBLIC_URL);
  await write(`${name}.html`, email.html);
  await write(`${name}.txt`, `Subject: ${email.subject}\n\n${email.text}`);
  await write(`${name}.json`, jsonOf({ slack, teams, discord, pagerduty, event: JSON.parse(eventBody(notice)) }));
  const chats = Object.entries({ slack, teams, discord, pagerduty } satisfies Partial<Record<Kind, unknown>>);
  const messages = chats.map(([kind, body]) => asReceived(kind as Kind, name, body));
  await write(`${name}.chats.html`, String(await messagesPage(messages, {})));
}

const items = Object.keys(SAMPLES).map(
  (name) =>
    `<li>${name}: <a href="${name}.html">e-mail</a>, <a href="${name}.txt">its text</a>, <a href="${name}.chats.html">Slack, Teams, Discord and PagerDuty</a>, <a href="${name}.json">all as JSON</a>`,
);
await write("index.html", `<!doctype html><html lang="en"><title>Notices</title><ul>${items.join("\n")}</ul></html>\n`);
console.log(`${items.length} notices in ${directory}: open index.html`);
