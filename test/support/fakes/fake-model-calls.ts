// LiteLLM's model routes in memory: records the calls, and returns the answer that a test sets.

import type { ModelAnswer, ModelCall, ModelCalls } from "../../../src/ports/ports.ts";

type Answered = ModelAnswer & { kind: "answered" };

/** LiteLLM's answer to a finished call without a cost header. */
export function aModelAnswer(differences: Partial<Answered> = {}): Answered {
  return {
    kind: "answered",
    status: 200,
    headers: new Headers({ "content-type": "application/json" }),
    body: new Response('{"object":"chat.completion"}').body,
    costNanoUsd: null,
    isBudgetRefusal: false,
    ended: null,
    ...differences,
  };
}

export class FakeModelCalls implements ModelCalls {
  readonly calls: ModelCall[] = [];
  next: ModelAnswer = aModelAnswer();
  /** What happens elsewhere while LiteLLM answers. */
  onCall: () => void = () => {};

  async forward(call: ModelCall): Promise<ModelAnswer> {
    this.calls.push(call);
    this.onCall();
    return this.next;
  }
}
