// LiteLLM as an agent calls it, in memory: keeps what was sent, and answers what a test wrote down.

import type { ModelAnswer, ModelCall, ModelCalls } from "../../../src/ports/ports.ts";

type Answered = ModelAnswer & { kind: "answered" };

/** A finished call, as LiteLLM answers one that costs nothing. */
export function aModelAnswer(differences: Partial<Answered> = {}): Answered {
  return {
    kind: "answered",
    status: 200,
    headers: new Headers({ "content-type": "application/json" }),
    body: new Response('{"object":"chat.completion"}').body,
    keySpendNanoUsd: null,
    budgetRefusal: null,
    ended: null,
    ...differences,
  };
}

export class FakeModelCalls implements ModelCalls {
  readonly calls: ModelCall[] = [];
  next: ModelAnswer = aModelAnswer();

  async forward(call: ModelCall): Promise<ModelAnswer> {
    this.calls.push(call);
    return this.next;
  }
}
