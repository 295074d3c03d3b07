// Remembers what the simulator sent out and how it was answered, for tests, benchmarks and the demo.
// Must never hold a URL, a secret or a word of a call.

/** Enough for any test; the oldest go first. */
const KEPT = 10_000;

/** `status`: the HTTP status of the answer, null when there was none. `at`: of the sending, ms, simulator's clock. */
export type SentRequest = { status: number | null; at: number } & (
  | {
      kind: "webhook";
      event: string;
      /** Of the key, or the id of the team or end user that the event is about. */
      subject: string;
    }
  | {
      kind: "events";
      /** Calls in the batch. */
      count: number;
    }
  | { kind: "guardrail"; keyHash: string }
);

export class SentLog {
  #sent: SentRequest[] = [];

  add(request: SentRequest): void {
    this.#sent.push(request);
    if (this.#sent.length > KEPT) this.#sent.shift();
  }

  all(): SentRequest[] {
    return [...this.#sent];
  }

  clear(): void {
    this.#sent = [];
  }
}
