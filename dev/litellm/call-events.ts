// What the simulator tells of each model call, for parts that act on calls: alerts, event callbacks.
// Must never carry a raw key or a prompt.

import type { KeyView, TeamView } from "./memory.ts";

export type CallEvent =
  /** A virtual key was checked for a model call; `refusal` says how it was refused, null that it may go on. */
  | { kind: "call_authorized"; key: KeyView; team: TeamView | null; refusal: "key_budget" | "team_budget" | null }
  /** A model call was answered and its cost counted; the key is as it was when the call was checked. */
  | { kind: "call_finished"; callId: string; model: string; key: KeyView; team: TeamView | null; cost: number };

export type CallListener = (event: CallEvent) => void;
