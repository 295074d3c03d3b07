// The words of a notice and the tone that they are said in. Types only.

export type Tone =
  | "warning"
  | "critical"
  | "blocked"
  | "resolved"
  | "projected"
  | "reset"
  | "override"
  | "suspended"
  | "resumed"
  | "platform"
  | "test";

/** Own words only: none of them needs escaping, and none of them can be somebody else's. */
export interface Copy {
  readonly tone: Tone;
  readonly tag: string;
  /** What goes on after the tenant's name; a whole sentence when there is none. */
  readonly predicate: string;
  readonly summary: string;
  readonly advice: string;
}
