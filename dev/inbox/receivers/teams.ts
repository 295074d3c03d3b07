// A Power Automate workflow that posts to Teams. Microsoft's own library checks the card.

import { AdaptiveCard, SerializationContext, Versions } from "adaptivecards";
import { isObject, type JsonObject, listOf, objectOf, textOf } from "../untrusted-json.ts";
import type { Receiver, Reply } from "./receiver.ts";

const CARD = "application/vnd.microsoft.card.adaptive";

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
  const context = new SerializationContext(Versions.v1_4);
  const card = new AdaptiveCard();
  card.parse(cardOf(body), context);
  const events = Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at).message);
  return [...events, ...card.validateProperties().validationEvents.map(({ message }) => message)];
}
