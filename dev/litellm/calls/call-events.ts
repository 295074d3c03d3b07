// The events of each model call, for parts that act on calls: alerts, event callbacks.
// Must never carry a raw key; events have the messages of a call, as LiteLLM's have. A listener must not keep them.

import type { Body } from "../dict.ts";
import type { KeyView, TeamView } from "../state/memory.ts";

/** One model call, as it came in. */
export interface CallRecord {
  readonly id: string;
  readonly traceId: string;
  readonly route: string;
  readonly model: string;
  /** The body's `user`. */
  readonly endUser: string | null;
  readonly isStream: boolean;
  readonly messages: unknown;
  /** Without any that could hold a key. */
  readonly headers: Record<string, string>;
  /** ms, by the simulator's clock. */
  readonly startedAt: number;
}

/** A virtual key was checked for a model call; `refusal` says how it was refused, null that it may go on. */
export interface CallAuthorized {
  kind: "call_authorized";
  key: KeyView;
  team: TeamView | null;
  refusal: "key_budget" | "team_budget" | null;
  /** It costs nothing, so that no budget was looked at. */
  isFree: boolean;
}

/** A model call was turned away, for a budget that is used up. */
export interface CallRefused {
  kind: "call_refused";
  keyHash: string;
  call: CallRecord;
  message: string;
  endedAt: number;
}

/** A model call was answered and its cost counted; the key is as it was when the call was checked. */
export interface CallFinished {
  kind: "call_finished";
  callId: string;
  model: string;
  key: KeyView;
  team: TeamView | null;
  cost: number;
  call: CallRecord;
  response: Body;
  endedAt: number;
}

export type CallEvent = CallAuthorized | CallRefused | CallFinished;

export type CallListener = (event: CallEvent) => void;
