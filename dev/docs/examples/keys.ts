// The keys of a tenant: a new one, the list, and the end of the old one.

import { example, type Step } from "../steps.ts";

export const KEYS: readonly Step[] = [
  example("add-key", 201, `curl -i "$bursar/v1/tenants/acme/keys" -H "$admin" -d '{"overlap": "1h"}'`, {
    virtual_key: "virtual_key",
    old_key_hash: "data.1.key_hash",
  }),
  example("list-keys", 200, `curl -i "$bursar/v1/tenants/acme/keys" -H "$reader"`),
  example("read-key", 200, `curl -i "$bursar/v1/tenants/acme/keys/$old_key_hash" -H "$reader"`),
  example("remove-key", 204, `curl -i -X DELETE "$bursar/v1/tenants/acme/keys/$old_key_hash" -H "$admin"`),
];
