// Requests with an idempotency key, as Redis stores them. Types only.

export interface IdempotencyKey {
  readonly actor: string;
  readonly route: string;
  readonly key: string;
}

/** A response kept for replay; never holds a virtual key. */
export interface IdempotentAnswer {
  readonly status: number;
  readonly body: unknown;
  /** Of what was created. Absent in answers of the release before. */
  readonly location?: string;
}

export type IdempotencyClaim =
  | { readonly kind: "claimed" }
  | { readonly kind: "running" }
  | { readonly kind: "other_body" }
  | { readonly kind: "done"; readonly answer: IdempotentAnswer };
