// A Power Automate workflow that posts to Teams: checks the envelope and the frame of the card.

import { isObject, type JsonObject, listOf, objectOf, textOf } from "../untrusted-json.ts";
import type { Receiver, Reply } from "./receiver.ts";

const CARD = "application/vnd.microsoft.card.adaptive";

/** Of Adaptive Cards, in messages that a workflow posts. */
const MAX_VERSION = "1.5";

/** Teams refuses larger messages. */
const MAX_BYTES = 28_000;

export const teamsEndpoint: Receiver = {
  kind: "teams",
  via: "teams",
  receive({ body, rawBody }): Reply {
    const problems = [
      ...(rawBody.length > MAX_BYTES ? [`${rawBody.length} bytes of at most ${MAX_BYTES}`] : []),
      ...(isObject(body) ? problemsOf(body) : ["the body is not a JSON object"]),
    ];
    if (problems.length === 0) return { status: 202, body: "", problems };
    return { status: 400, body: { error: { code: "InvalidRequestContent", message: problems.join("; ") } }, problems };
  },
  fail: ({ status }) => ({ status, body: { error: { code: "WorkflowFailed", message: "Simulated failure." } } }),
  summarize: (body) => textOf(cardOf(body)["fallbackText"]),
};

/** The card in the envelope of a workflow; empty when there is none. */
export function cardOf(body: unknown): JsonObject {
  return objectOf(objectOf(listOf(objectOf(body)["attachments"])[0])["content"]);
}

function problemsOf(body: JsonObject): string[] {
  const { contentType } = objectOf(listOf(body["attachments"])[0]);
  if (body["type"] !== "message" || contentType !== CARD) return ["it is no message with an Adaptive Card"];
  const card = cardOf(body);
  if (card["type"] !== "AdaptiveCard" || !isObject(listOf(card["body"])[0])) return ["it holds no Adaptive Card"];
  return textOf(card["version"]) > MAX_VERSION ? [`Teams knows no version over ${MAX_VERSION}`] : [];
}
