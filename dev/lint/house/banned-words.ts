// Bans words of a private idiom from text that operators and contributors read. Pages may quote them as code.

import { type Finding, isPage, isUnder, type Repository } from "./repository.ts";

const THIS_FILE = "dev/lint/house/banned-words.ts";

const BANNED = ["whoever", "wish", "wishes", "wished", "nobody", "somebody", "insist", "armed again"];

export function bannedWords({ files }: Repository): Finding[] {
  const banned = new RegExp(`\\b(?:${BANNED.join("|")})\\b`, "gi");
  return [...files].flatMap(([path, text]) => {
    if (!isUnder(["src", "cli", "dev", "bench"])(path) && !isPage(path) && path !== "wrangler.toml") return [];
    if (path === THIS_FILE) return [];
    const read = isPage(path) ? text.replace(/`[^`\n]*`/g, "") : text;
    return read
      .split("\n")
      .flatMap((line, index) =>
        [...line.matchAll(banned)].map(([word]) => ({ path, line: index + 1, message: `"${word}" is a private word` })),
      );
  });
}
