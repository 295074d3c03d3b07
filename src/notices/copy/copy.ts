// The copy of a notice and its tone. Types only.

export type Tone =
  | "warning"
  | "critical"
  | "blocked"
  | "resolved"
  | "reset"
  | "override"
  | "suspended"
  | "resumed"
  | "platform"
  | "test";

/** Bursar's own text only, without text from outside: it needs no escaping. */
export interface Copy {
  readonly tone: Tone;
  readonly tag: string;
  /** Follows the tenant's name; a whole sentence when the notice has no tenant. */
  readonly predicate: string;
  /** What helps; null when nothing needs to be done. */
  readonly advice: string | null;
}
