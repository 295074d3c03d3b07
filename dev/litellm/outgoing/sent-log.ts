// Records the requests that the simulator sent and the status of each answer, for tests, benchmarks and the demo.
// Must never hold a URL, a secret or the text of a call.

/** Enough for any test. Beyond it the log drops the oldest. */
const KEPT = 10_000;

/** `status`: the HTTP status of the answer; null without an answer. `at`: when it was sent, ms, simulator's clock. */
export type SentRequest = { status: number | null; at: number } & (
  | {
      kind: "webhook";
      event: string;
      /** The hash of the key, or the id of the team or end user, that the event is about. */
      subject: string;
    }
  | {
      kind: "events";
      /** The number of calls in the batch. */
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
