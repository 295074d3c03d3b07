// The interface of the inbox's receivers (Slack, Resend, the send_email binding, webhooks), and the parsing of a call.

import type { StatusFailure } from "../failures.ts";
import type { InboxMessage, Kind, Via } from "../message.ts";

/** One incoming call, with its body already read. */
export interface Call {
  /** The id of the message if the inbox keeps it. */
  readonly id: string;
  readonly nowMs: number;
  readonly path: string;
  readonly headers: Headers;
  readonly rawBody: string;
  /** Parsed JSON; the raw text when `isJson` is false. */
  readonly body: unknown;
  readonly isJson: boolean;
}

export interface Answer {
  readonly status: number;
  /** A string is sent as text, an object as JSON. */
  readonly body: string | object;
}

export interface Reply extends Answer {
  readonly problems: readonly string[];
  /** False for a repeat that the receiver recognises: it answers again, and the inbox keeps no second message. */
  readonly isNew?: boolean;
}

/** Facts about a call that only some receivers determine. */
export type Marks = Pick<InboxMessage, "signature" | "repeats"> & { readonly problem?: string };

export interface Receiver {
  readonly kind: Kind;
  readonly via: Via;
  /** Examines every call, including those that a configured failure makes fail. */
  inspect?(call: Call): Marks;
  receive(call: Call, marks: Marks): Reply;
  /** The answer to a configured failure, in the vendor's format. */
  fail(failure: StatusFailure): Answer;
  summarize(body: unknown): string;
  /** Forgets all earlier calls. */
  forget?(): void;
}

export async function readCall(request: Request, at: { id: string; nowMs: number }): Promise<Call> {
  const { pathname } = new URL(request.url);
  const rawBody = await request.text();
  const call = { ...at, path: pathname, headers: request.headers, rawBody };
  try {
    return { ...call, body: JSON.parse(rawBody) as unknown, isJson: true };
  } catch {
    return { ...call, body: rawBody, isJson: false };
  }
}
