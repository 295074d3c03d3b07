// `unread_since` of `GET /v1/tenants/{id}`.

import { expect, it, vi } from "vitest";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, call, create } = useTenantsApi();

const unreadSince = async () => (await call("GET", "/v1/tenants/acme")).body.unread_since;
const at = (minutes: number) => void vi.setSystemTime(NOW + minutes * MINUTE);

it("shows the last read of a tenant from an hour after it on, in lists too", async () => {
  await create();
  at(59);
  expect(await unreadSince()).toBeNull();
  at(60);
  expect(await unreadSince()).toBe(new Date(NOW).toISOString());
  expect((await call("GET", "/v1/tenants")).body.data).toMatchObject([{ unread_since: new Date(NOW).toISOString() }]);
});

it("shows null for a tenant whose key is missing in LiteLLM or not yet synced", async () => {
  await create();
  at(600);
  await world.db.query("update tenant_configs set litellm_sync = 'pending'");
  expect(await unreadSince()).toBeNull();
  await world.db.query("update tenant_configs set litellm_sync = 'synced', subject_missing_at = now()");
  expect(await unreadSince()).toBeNull();
});
