// The commands of the operator's pages can be pasted: each page sets every variable that its commands use. The commands
// of docs/api.md and docs/quickstart.md are run as they stand, by test/e2e/api-docs.test.ts and test/dev/start.test.ts.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const commandsOf = (page: string) =>
  [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, commands]) => commands).join("\n");

const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name);

it.each(["adopt", "channels", "deploy", "runbook"])("docs/%s.md sets what its commands use", (name) => {
  const page = readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), "utf8");
  const known = new Set(namesIn(commandsOf(page), /(?:^|[\s;])(?:for )?([A-Za-z_]\w*)(?:=| in )/gm));
  const used = namesIn(page, /"?\$\{?([A-Za-z_]\w*)/g);
  expect(used.filter((each) => !known.has(each))).toEqual([]);
});
