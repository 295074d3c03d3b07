// The way of one call through the inbox: read, failed if so told, judged by its door, kept, answered.

import type { Failure, Failures } from "./failures.ts";
import type { Mailbox } from "./mailbox.ts";
import type { InboxMessage } from "./message.ts";
import { type Answer, type Call, type Door, type Reply, readCall } from "./receivers/receiver.ts";

const KEPT_HEADERS = /^(?:content-type|idempotency-key|webhook-.+)$/;
const SUMMARY_LENGTH = 200;

/** Never resolves when the failure is a timeout: the caller gives up by itself. */
export async function takeIn(
  request: Request,
  door: Door,
  { mailbox, failures }: { mailbox: Mailbox; failures: Failures },
): Promise<Response> {
  const call = await readCall(request, { id: crypto.randomUUID(), nowMs: Date.now() });
  const marks = door.inspect?.(call) ?? {};
  const how = failures.take(door.kind);
  const reply = how === null ? door.receive(call, marks) : failedReply(door, how);
  const { problem: _, ...kept } = marks;
  if (reply?.isNew !== false) mailbox.add({ ...messageOf(call, door, reply), ...kept });
  if (reply === null) return new Promise<Response>(() => {});
  return responseOf(reply, how !== null && "retryAfter" in how ? how.retryAfter : undefined);
}

/** Null: no answer at all. */
function failedReply(door: Door, how: Failure["how"]): Reply | null {
  return "timeout" in how ? null : { ...door.fail(how), problems: [`told to fail with ${how.status}`] };
}

function messageOf(call: Call, door: Door, reply: Reply | null): InboxMessage {
  return {
    id: call.id,
    kind: door.kind,
    received_at: new Date(call.nowMs).toISOString(),
    accepted: reply !== null && reply.status < 300,
    status: reply?.status ?? null,
    via: door.via,
    path: call.path,
    headers: Object.fromEntries([...call.headers].filter(([name]) => KEPT_HEADERS.test(name))),
    body: call.body,
    summary: door.summarize(call.body).replace(/\s+/g, " ").trim().slice(0, SUMMARY_LENGTH),
    problems: reply?.problems ?? ["told never to answer"],
  };
}

function responseOf({ status, body }: Answer, retryAfter: string | undefined): Response {
  const headers = retryAfter === undefined ? {} : { "Retry-After": retryAfter };
  return typeof body === "string" ? new Response(body, { status, headers }) : Response.json(body, { status, headers });
}
