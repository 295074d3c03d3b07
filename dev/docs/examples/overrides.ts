// Overrides of the blocked tenant's limit: grant, repeat, list, revoke.

import { example, type Step } from "../steps.ts";

const GRANT = `curl -i "$bursar/v1/tenants/acme/overrides" -H "$admin" \\
  -H 'Idempotency-Key: launch-week' \\
  -d '{"override_amount": 100, "duration": "7d", "reason": "launch week"}'`;

export const OVERRIDES: readonly Step[] = [
  example("grant-override", 201, GRANT, { override_id: "id" }),
  { ...example("grant-override-replayed", 201, GRANT), shows: "Idempotency-Replayed: true" },
  example(
    "grant-override-invalid",
    422,
    `curl -i "$bursar/v1/tenants/acme/overrides" -H "$admin" -d '{"override_amount": 0, "reason": "launch week"}'`,
  ),
  example("check-override", 200, `curl -i "$bursar/v1/tenants/acme/check" -H "$reader"`),
  example("list-overrides", 200, `curl -i "$bursar/v1/tenants/acme/overrides" -H "$reader"`),
  example("read-override", 200, `curl -i "$bursar/v1/tenants/acme/overrides/$override_id" -H "$reader"`),
  example("revoke-override", 204, `curl -i -X DELETE "$bursar/v1/tenants/acme/overrides/$override_id" -H "$admin"`),
];
