// What a door of the inbox (Slack, Resend, the send_email binding, a webhook) gets and answers. Types and one reader.

import type { StatusFailure } from "../failures.ts";
import type { InboxMessage, Kind, Via } from "../message.ts";

/** One call as it came in, read once. */
export interface Call {
  /** The message's id, should it be kept. */
  readonly id: string;
  readonly nowMs: number;
  readonly path: string;
  readonly headers: Headers;
  readonly rawBody: string;
  /** Parsed JSON; the text itself when `isJson` is false. */
  readonly body: unknown;
  readonly isJson: boolean;
}

export interface Answer {
  readonly status: number;
  /** Text goes out as text, an object as JSON. */
  readonly body: string | object;
}

export interface Reply extends Answer {
  readonly problems: readonly string[];
  /** False for a call that a receiver recognises as done before: it answers again and keeps nothing. */
  readonly isNew?: boolean;
}

/** What only some doors learn of a call. */
export type Marks = Pick<InboxMessage, "signature" | "repeats"> & { readonly problem?: string };

export interface Door {
  readonly kind: Kind;
  readonly via: Via;
  /** Looks at a call whether or not it will be told to fail. */
  inspect?(call: Call): Marks;
  receive(call: Call, marks: Marks): Reply;
  /** The vendor's own words for a failure that was asked for. */
  fail(failure: StatusFailure): Answer;
  summarize(body: unknown): string;
  /** Forgets the calls it has seen. */
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
