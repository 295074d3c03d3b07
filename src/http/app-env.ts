// The context variables of every route. The first middleware in app.ts sets them.

import type { Instant } from "../budget/instant.ts";
import type { Tokens } from "../ports/policy.ts";
import type { Ports } from "../ports/ports.ts";
import type { Actor } from "../records/tenant.ts";
import type { Envelope } from "./sdk-envelope.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    ports: Ports;
    tokens: Tokens;
    /** Read once, when the request arrives. */
    now: Instant;
    requestId: string;
    /** Set by Gate: a problem then also has the members that the agent's SDK reads. */
    envelope?: Envelope;
    /** The name of the caller's token, set by `requireAdmin` and `requireRead`. */
    actor: Actor;
  };
}
