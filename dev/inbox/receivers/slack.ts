// Slack's incoming webhooks: answers as Slack does, and records in the message details that Slack does not report.

import { isObject, listOf, objectOf, textOf } from "../untrusted-json.ts";
import type { Receiver, Reply } from "./receiver.ts";
import { blockProblems } from "./slack-blocks.ts";

/** Slack's error names for the statuses that the retry logic must distinguish. */
const WORDS: Readonly<Record<number, string>> = {
  400: "invalid_payload",
  403: "invalid_token",
  404: "no_service",
  410: "channel_is_archived",
  429: "rate_limited",
};

export const slackEndpoint: Receiver = {
  kind: "slack",
  via: "slack",
  receive({ body, isJson }): Reply {
    if (!isJson || !isObject(body)) return refused("invalid_payload", ["the body is not a JSON object"]);
    const { text, blocks, attachments } = body;
    if (textOf(text) === "" && listOf(blocks).length === 0 && listOf(attachments).length === 0) {
      return refused("no_text", ["neither text nor blocks"]);
    }
    const problems = [
      ...blockProblems(blocks, "blocks"),
      ...listOf(attachments).flatMap((each, at) =>
        blockProblems(objectOf(each)["blocks"], `attachments[${at}].blocks`),
      ),
    ];
    return problems.length > 0 ? refused("invalid_blocks", problems) : { status: 200, body: "ok", problems };
  },
  fail: ({ status }) => ({ status, body: WORDS[status] ?? "rollup_error" }),
  summarize(body) {
    const { text, blocks } = objectOf(body);
    const header = listOf(blocks)
      .map(objectOf)
      .find(({ type }) => type === "header");
    return textOf(text) || textOf(objectOf(header?.["text"])["text"]);
  },
};

function refused(word: string, problems: string[]): Reply {
  return { status: 400, body: word, problems };
}
