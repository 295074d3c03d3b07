// Bursar's answers while LiteLLM is down.

import { DEMANDED_READ_MS, example, pause, type Step, until } from "../steps.ts";

export const OUTAGE: readonly Step[] = [
  example(
    "create-closed-tenant",
    201,
    `curl -i "$bursar/v1/tenants" -H "$admin" \\
  -d '{"tenant_id": "initech", "max_budget": 50, "fail_policy": "closed"}'`,
  ),
  async ({ product }) => {
    await pause(DEMANDED_READ_MS);
    product.litellm.setFault({ kind: "error", status: 500 });
  },
  example("check-closed", 503, `curl -i "$bursar/v1/tenants/initech/check" -H "$reader" -H 'Cache-Control: no-cache'`),
  example("check-degraded", 200, `curl -i "$bursar/v1/tenants/acme/check" -H "$reader" -H 'Cache-Control: no-cache'`),
  example("readyz-not-ready", 503, `curl -i "$bursar/readyz"`),
  example("reset-tenant-unreachable", 503, `curl -i -X POST "$bursar/v1/tenants/acme/reset" -H "$admin"`),
  example("delete-tenant-pending", 202, `curl -i -X DELETE "$bursar/v1/tenants/initech" -H "$admin"`),
  async ({ product }) => {
    product.litellm.setFault(null);
    await until("LiteLLM answers", async () => (await fetch(`${product.litellm.url}/health/liveliness`)).ok);
  },
];
