// The README's picture of a notice. No test reads a picture; its alt text holds the sentences that it shows.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { aNotice } from "../../dev/notices/samples.ts";
import { emailMessage } from "../../src/notices/email/email.ts";

it("has the words of the 80 % e-mail; take docs/img/notice.png again when they change", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const [, headline = "", numbers = ""] =
    /notice\.png".* alt="E-mail notice\. (.+?)\. (Spent [^"]+)\."/.exec(readme) ?? [];
  const { subject, text } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n }));
  expect(`Warning: ${headline}`).toBe(subject);
  const shown = text.toLowerCase().replace(/[:\s]+/g, " ");
  for (const number of numbers.toLowerCase().split(", ")) expect(shown).toContain(number);
});
