// The context variables of every route. The first middleware in app.ts sets them.

import type { Instant } from "../budget/instant.ts";
import type { Tokens } from "../ports/policy.ts";
import type { Ports } from "../ports/ports.ts";
import type { Actor } from "../records/tenant.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    ports: Ports;
    tokens: Tokens;
    /** Read once, when the request arrives. */
    now: Instant;
    requestId: string;
    /** True on routes that agents call with an OpenAI SDK: a problem then also carries OpenAI's `error` member. */
    speaksOpenAi?: true;
    /** The name of the caller's token, set by `requireAdmin` and `requireRead`. */
    actor: Actor;
  };
}
