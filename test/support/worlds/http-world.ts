// The HTTP side over the world of a check: real middleware, routes and flows, in Node. The date is frozen.

import { createApp } from "../../../src/app.ts";
import type { Tokens } from "../../../src/ports/policy.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import { plainCipher } from "../builders/plain-cipher.ts";
import { VIRTUAL_KEY } from "../builders/virtual-key.ts";
import { FakeModelCalls } from "../fakes/fake-model-calls.ts";
import { unusedPorts } from "../faults/unused-port.ts";
import { CheckWorld } from "./check-world.ts";

export const TOKENS: Tokens = {
  admin: [{ name: "alice", token: "admin-token" }],
  read: [
    { name: "reader", token: "read-token" },
    { name: "second", token: "read-token-2" },
  ],
  webhookSecrets: ["webhook-secret", "old-webhook-secret"],
  webhookUrl: ["url-token", "old-url-token"],
  events: ["events-token", "old-events-token"],
  guardrail: ["guardrail-token", "old-guardrail-token"],
};

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the body of any answer; tests assert what they read of it
  readonly body: any;
}

const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

export class HttpWorld extends CheckWorld {
  readonly models = new FakeModelCalls();
  readonly app = createApp(() => ({ ports: this.ports(), tokens: TOKENS }));

  ports(): Ports {
    return { ...unusedPorts(), ...this.deps(), modelCalls: this.models, cipher: plainCipher };
  }

  /** `colo`: the colo that received the request. Absent as in a local run. */
  async call(
    path: string,
    options: { method?: string; token?: string; headers?: Record<string, string>; body?: string; colo?: string } = {},
  ): Promise<Answer> {
    const { method = "GET", token, headers, body, colo } = options;
    const request = new Request(`http://bursar.test${path}`, {
      method,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
      ...(body !== undefined && { body }),
    });
    if (colo !== undefined) Object.assign(request, { cf: { colo } });
    const response = await this.app.fetch(request, {}, execution);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  }

  ask(options: { headers?: Record<string, string>; colo?: string } = {}): Promise<Answer> {
    return this.call("/v1/budget", { token: VIRTUAL_KEY, ...options });
  }
}
