// Handles one call to the inbox: reads it, applies a configured failure or its receiver, keeps the message, answers.

import type { Failure, Failures } from "./failures.ts";
import type { Mailbox } from "./mailbox.ts";
import type { InboxMessage } from "./message.ts";
import { type Answer, type Call, type Receiver, type Reply, readCall } from "./receivers/receiver.ts";

const KEPT_HEADERS = /^(?:content-type|idempotency-key|webhook-.+)$/;
const SUMMARY_LENGTH = 200;

/** Never resolves when the failure is a timeout: the caller's own timeout ends the call. */
export async function takeIn(
  request: Request,
  receiver: Receiver,
  { mailbox, failures }: { mailbox: Mailbox; failures: Failures },
): Promise<Response> {
  const call = await readCall(request, { id: crypto.randomUUID(), nowMs: Date.now() });
  const marks = receiver.inspect?.(call) ?? {};
  const how = failures.take(receiver.kind);
  const reply = how === null ? receiver.receive(call, marks) : failedReply(receiver, how);
  const { problem: _, ...kept } = marks;
  if (reply?.isNew !== false) mailbox.add({ ...messageOf(call, receiver, reply), ...kept });
  if (reply === null) return new Promise<Response>(() => {});
  return responseOf(reply, how !== null && "retryAfter" in how ? how.retryAfter : undefined);
}

/** Null: the inbox does not answer. */
function failedReply(receiver: Receiver, how: Failure["how"]): Reply | null {
  return "timeout" in how ? null : { ...receiver.fail(how), problems: [`simulated failure with ${how.status}`] };
}

function messageOf(call: Call, receiver: Receiver, reply: Reply | null): InboxMessage {
  return {
    id: call.id,
    kind: receiver.kind,
    received_at: new Date(call.nowMs).toISOString(),
    accepted: reply !== null && reply.status < 300,
    status: reply?.status ?? null,
    via: receiver.via,
    path: call.path,
    headers: Object.fromEntries([...call.headers].filter(([name]) => KEPT_HEADERS.test(name))),
    body: call.body,
    summary: receiver.summarize(call.body).replace(/\s+/g, " ").trim().slice(0, SUMMARY_LENGTH),
    problems: reply?.problems ?? ["simulated timeout"],
  };
}

function responseOf({ status, body }: Answer, retryAfter: string | undefined): Response {
  const headers = retryAfter === undefined ? {} : { "Retry-After": retryAfter };
  if (body === "") return new Response(null, { status, headers });
  return typeof body === "string" ? new Response(body, { status, headers }) : Response.json(body, { status, headers });
}
