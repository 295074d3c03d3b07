// The events of a model call, for alerts and event callbacks.
// Must never carry a raw key. Like LiteLLM's events, they contain the call's messages, which a listener must not keep.

import type { Body } from "../dict.ts";
import type { KeyView, TeamView } from "../state/memory.ts";

/** One model call, as received. */
export interface CallRecord {
  readonly id: string;
  readonly traceId: string;
  readonly route: string;
  readonly model: string;
  /** The body's `user`. */
  readonly endUser: string | null;
  readonly isStream: boolean;
  /** The body's `no-log`: LiteLLM charges the call, but reports it to no callback. */
  readonly isUnlogged: boolean;
  readonly messages: unknown;
  /** Without the headers that could contain a key. */
  readonly headers: Record<string, string>;
  /** ms, by the simulator's clock. */
  readonly startedAt: number;
}

/** LiteLLM has checked a virtual key for a model call. `refusal`: the budget that refuses it; null: none. */
export interface CallAuthorized {
  kind: "call_authorized";
  key: KeyView;
  team: TeamView | null;
  refusal: "key_budget" | "team_budget" | null;
  /** The call costs nothing, so LiteLLM checked no budget. */
  isFree: boolean;
}

/** LiteLLM has refused a model call because a budget is used up. */
export interface CallRefused {
  kind: "call_refused";
  keyHash: string;
  /** With the spend that LiteLLM shows beside a call. Null: the key is gone since. */
  key: KeyView | null;
  team: TeamView | null;
  call: CallRecord;
  message: string;
  endedAt: number;
}

/** LiteLLM has answered and charged a model call. `key` has the spend that LiteLLM shows for before the call. */
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
