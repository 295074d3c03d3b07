// `npm run notices:preview -- <directory>`: writes a sample of every kind of notice to a directory. Sends nothing.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import { eventBody } from "../../src/notices/event.ts";
import { slackMessage } from "../../src/notices/slack.ts";
import { SAMPLES } from "./samples.ts";

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

for (const [name, notice] of Object.entries(SAMPLES)) {
  const email = emailMessage(notice);
  await write(`${name}.html`, email.html);
  await write(`${name}.txt`, `Subject: ${email.subject}\n\n${email.text}`);
  await write(`${name}.slack.json`, JSON.stringify(slackMessage(notice), null, 2));
  await write(`${name}.event.json`, JSON.stringify(JSON.parse(eventBody(notice)), null, 2));
}

const items = Object.keys(SAMPLES).map(
  (name) =>
    `<li>${name}: <a href="${name}.html">e-mail</a>, <a href="${name}.txt">its text</a>, <a href="${name}.slack.json">Slack</a>, <a href="${name}.event.json">event</a>`,
);
await write("index.html", `<!doctype html><html lang="en"><title>Notices</title><ul>${items.join("\n")}</ul></html>\n`);
console.log(`${items.length} notices in ${directory}: open index.html`);
