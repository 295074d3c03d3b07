// Health, LiteLLM's configuration, and the errors that any route can return.

import { example, type Step, until } from "../steps.ts";

export const SERVICE: readonly Step[] = [
  // On a new stack the first connections take longer than a probe's timeout.
  ({ product }) => until("every dependency answers", async () => (await fetch(`${product.url}/readyz`)).ok),
  example("healthz", 200, `curl -i "$bursar/healthz"`),
  example("readyz", 200, `curl -i "$bursar/readyz"`),
  example("setup", 200, `curl -i "$bursar/v1/setup/litellm" -H "$admin"`),
  example("unauthorized", 401, `curl -i "$bursar/v1/tenants"`),
  example("malformed-json", 400, `curl -i "$bursar/v1/tenants" -H "$admin" -d '{"tenant_id": '`),
  example("not-found", 404, `curl -i "$bursar/v1/tenant" -H "$admin"`),
  example("method-not-allowed", 405, `curl -i -X PUT "$bursar/v1/budget"`),
];
