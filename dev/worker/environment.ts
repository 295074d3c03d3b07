// The Worker's environment in the local stack: the committed dev secrets and the addresses of the parts.

import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";

const EXAMPLE = new URL("../../.dev.vars.example", import.meta.url);

export interface WorkerEnvironment {
  /** The `secrets.required` of wrangler.toml. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
}

/** The dev secrets and variables, with the addresses of the running parts. */
export function workerEnvironment(parts: {
  databaseUrl: string;
  neonUrl: string;
  upstashUrl: string;
  litellmUrl: string;
  litellmMasterKey: string;
  inboxUrl: string;
}): WorkerEnvironment {
  const example = parseEnv(readFileSync(EXAMPLE, "utf8")) as Record<string, string>;
  return {
    secrets: {
      ...example,
      DATABASE_URL: parts.databaseUrl,
      UPSTASH_REDIS_REST_URL: parts.upstashUrl,
      LITELLM_MASTER_KEY: parts.litellmMasterKey,
    },
    vars: {
      LITELLM_URL: parts.litellmUrl,
      NEON_ENDPOINT: parts.neonUrl,
      EMAIL_FROM: "Bursar <budgets@bursar.example>",
      RESEND_API_KEY: "dev-resend-key",
      RESEND_URL: `${parts.inboxUrl}/resend`,
      PAGERDUTY_URL: `${parts.inboxUrl}/pagerduty`,
      ALLOW_LOCAL_TARGETS: "true",
    },
  };
}
