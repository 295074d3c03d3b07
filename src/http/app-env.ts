// What every route finds in its context. Filled in by the first middleware, in app.ts.

import type { Instant } from "../budget/instant.ts";
import type { Tokens } from "../ports/policy.ts";
import type { Ports } from "../ports/ports.ts";
import type { Actor } from "../records/tenant-record.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    ports: Ports;
    tokens: Tokens;
    /** Read once, when the request came in. */
    now: Instant;
    requestId: string;
    /** True where agents call as they call OpenAI: their SDKs then show a problem as an error of its kind. */
    speaksOpenAi?: true;
    /** Set by `requireAdmin` and `requireRead`: whose token it was. */
    actor: Actor;
  };
}
