// A receiver of Bursar's webhooks: verifies signatures with the Standard Webhooks library, and counts repeats.

import { Webhook } from "standardwebhooks";
import { BoundedMap } from "../../../src/adapters/cloudflare/bounded-map.ts";
import { objectOf, textOf } from "../untrusted-json.ts";
import type { Call, Marks, Receiver } from "./receiver.ts";

const PREFIX = "/webhook/";
const ARRIVALS_BYTES = 2_000_000;

const REFUSALS = {
  invalid: "the signature is invalid",
  missing: "webhook-id, webhook-timestamp or webhook-signature is missing",
};

export interface WebhookEndpoint extends Receiver {
  /**
   * Replaces the secrets (`whsec_…`) of the webhook `name`. A signature by any of them is valid.
   * @throws Error when a secret is not base64; the previous secrets stay.
   */
  trust(name: string, secrets: readonly string[]): void;
}

export function createWebhookEndpoint(): WebhookEndpoint {
  const verifiers = new Map<string, Webhook[]>();
  const arrivals = new BoundedMap<string, number>(ARRIVALS_BYTES);

  return {
    kind: "webhook",
    via: "webhook",
    trust(name, secrets) {
      verifiers.set(
        name,
        secrets.map((secret) => new Webhook(secret)),
      );
    },
    inspect(call) {
      const repeats = countArrival(arrivals, call);
      return { ...verdictOn(call, verifiers.get(nameOf(call))), ...(repeats !== null && { repeats }) };
    },
    receive(_call, { signature, problem }) {
      if (signature === "valid" || signature === "unknown_secret") return { status: 200, body: "ok", problems: [] };
      const refusal = REFUSALS[signature ?? "missing"];
      return { status: 401, body: refusal, problems: [problem ?? refusal] };
    },
    fail: ({ status }) => ({ status, body: "simulated failure" }),
    summarize: (body) => textOf(objectOf(body)["type"]),
    forget: () => arrivals.clear(),
  };
}

function nameOf({ path }: Call): string {
  return decodeURIComponent(path.slice(PREFIX.length));
}

function verdictOn({ headers, rawBody }: Call, verifiers: readonly Webhook[] | undefined): Marks {
  const signed = Object.fromEntries(
    ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [name, headers.get(name) ?? ""]),
  );
  if (Object.values(signed).includes("")) return { signature: "missing" };
  if (verifiers === undefined) return { signature: "unknown_secret" };
  let problem = REFUSALS.invalid;
  for (const verifier of verifiers) {
    try {
      verifier.verify(rawBody, signed, { jsonParse: false });
      return { signature: "valid" };
    } catch (error) {
      // The reason, such as a timestamp that is too old, is only shown to people.
      if (error instanceof Error) problem = error.message;
    }
  }
  return { signature: "invalid", problem };
}

/** The number of earlier calls to this path with the same `webhook-id`; null when the call has none. */
function countArrival(arrivals: Map<string, number>, { path, headers }: Call): number | null {
  const id = headers.get("webhook-id");
  if (id === null) return null;
  const key = `${path} ${id}`;
  const before = arrivals.get(key) ?? 0;
  arrivals.set(key, before + 1);
  return before;
}
