// What a notice is made of, and what each kind of channel takes. Types only: the renderers beside it make the one of the other.

import type { Dispatch } from "../alert-record.ts";

/** An alert with as much of its tenant as people want to read. */
export type Notice = Pick<Dispatch, "alert" | "tenantName" | "alertThreshold" | "graceThreshold">;

/** Slack's incoming webhook: `text` is what notifications and screen readers show. */
export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly Readonly<Record<string, unknown>>[];
}

export interface EmailMessage {
  readonly subject: string;
  readonly html: string;
  readonly text: string;
}
