// Single tenants that are not read for an hour: the operators hear of them, beside no alert about all tenants.

import { beforeEach, expect, it } from "vitest";
import { alertPlatform } from "../../../src/flows/alerts/alert-platform.ts";
import { createTenant } from "../../../src/flows/tenants/create-tenant.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { sha256 } from "../../support/builders/virtual-key.ts";
import { ownKeyInput, useAdminWorld } from "../../support/worlds/admin-world.ts";

const { world, deps } = useAdminWorld();

const NAMES = ["acme", "b", "c", "d", "e", "f", "g"];

beforeEach(async () => {
  for (const name of NAMES) {
    const virtualKey = `sk-${name}`;
    const origin = { kind: "own_key", virtualKey, keyHash: sha256(virtualKey) } as const;
    await createTenant(ownKeyInput({ tenantId: idOf(name), origin }), deps);
  }
  await read(NAMES, 0);
});

/** Tenants are read at the given minute. */
const read = (names: readonly string[], minutes: number) =>
  world.db.query("update tenant_spend set read_at = $1 where tenant_id = any($2)", [
    new Date(NOW + minutes * MINUTE),
    names,
  ]);

/** Runs the job the given minutes after NOW. */
const at = (minutes: number) => alertPlatform({ now: NOW + minutes * MINUTE }, deps);

const alerts = () =>
  world.db.query<{ kind: string; detail: unknown }>(
    "select kind, detail from platform_alerts order by created_at, kind",
  );
const outage = (startedAt: number | null) => {
  deps.snapshots.outage = startedAt;
};

const unreadAlerts = async () =>
  (await alerts()).flatMap(({ kind, detail }) => (kind === "tenants_unread" ? [detail] : []));
const since = (minutes: number) => new Date(NOW + minutes * MINUTE).toISOString();

it("tells once a day how many tenants have not been read for an hour, which, and since when", async () => {
  await read(NAMES.slice(1), 30);
  await at(59);
  expect(await alerts()).toEqual([]);
  for (const minutes of [60, 61]) await at(minutes);
  expect(await unreadAlerts()).toEqual([{ tenants: 1, tenant_ids: "acme", since: since(0) }]);
});

it("names five of many, the one that has waited longest first", async () => {
  for (const [index, name] of NAMES.entries()) await read([name], -index);
  await read(["acme"], 59);
  await at(60);
  expect(await unreadAlerts()).toEqual([{ tenants: 6, tenant_ids: "g, f, e, d, c", since: since(-6) }]);
});

it("tells nothing of tenants that no read can be expected of", async () => {
  await read(["g"], 59);
  await world.db.query("update tenant_configs set deleted_at = now() where tenant_id = 'acme'");
  await world.db.query("update tenant_configs set litellm_sync = 'pending' where tenant_id = 'b'");
  await world.db.query("update tenant_configs set subject_missing_at = now() where tenant_id = 'c'");
  await world.db.query("delete from tenant_spend where tenant_id = 'd'");
  await world.db.query("update tenant_configs set litellm_sync_since = $1 where tenant_id = 'd'", [since(1)]);
  await read(["e", "f"], 1);
  await at(60);
  expect(await unreadAlerts()).toEqual([]);
  await at(61);
  expect(await unreadAlerts()).toMatchObject([{ tenants: 3, tenant_ids: "d, e, f" }]);
});

it("leaves an outage of LiteLLM, and the hour that the sweep takes to catch up, to the outage's own alert", async () => {
  outage(NOW);
  for (const minutes of [1, 61, 120]) await at(minutes);
  outage(null);
  await read(["acme"], 121);
  for (const minutes of [121, 180]) await at(minutes);
  expect(await unreadAlerts()).toEqual([]);
  expect(new Set((await alerts()).map(({ kind }) => kind))).toEqual(new Set(["litellm_out", "litellm_silent"]));
  await at(181);
  expect(await unreadAlerts()).toEqual([]);
  await read(["acme"], 150);
  await at(182);
  expect(await unreadAlerts()).toMatchObject([{ tenants: 6, tenant_ids: "b, c, d, e, f" }]);
});

it("leaves it to the alert of silence when no tenant at all is read", async () => {
  await world.db.query("update tenant_configs set created_at = $1", [since(-600)]);
  for (const minutes of [60, 119, 121]) await at(minutes);
  expect((await alerts()).map(({ kind }) => kind)).toEqual(["litellm_silent"]);
});
