// A key deleted or blocked in LiteLLM is shown as what it is, from the next read on. On a real Postgres and the
// simulator of LiteLLM.

import { beforeEach, describe, expect, it } from "vitest";
import { noteSubject } from "../../../src/flows/litellm/note-subject.ts";
import { syncLiteLlm } from "../../../src/flows/litellm/sync-litellm.ts";
import { suspendTenant } from "../../../src/flows/tenants/suspend-tenant.ts";
import type { TenantRecord } from "../../../src/records/tenant.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { HOUR, START, useReconcileWorld } from "../../support/worlds/reconcile-world.ts";

const acme = idOf("acme");
const { key, sweepAndReconcile, world, deps } = useReconcileWorld();

const tenantNow = async (): Promise<TenantRecord> => {
  const tenant = await deps.tenants.load(acme);
  if (tenant === null) throw new Error("acme is gone");
  return tenant;
};
const inPostgres = async () => {
  const { config, sync } = await tenantNow();
  return [config.subjectMissingAt, config.litellmBlockedAt, sync.error];
};
const atTheEdge = async () => {
  const known = await deps.snapshots.tenant(acme);
  if (!("config" in known) || known.config === null) throw new Error("acme is not at the edge");
  return [known.config.subjectMissingAt, known.config.litellmBlockedAt];
};
/** The sweep reads the tenant an hour after its last read; syncs that it queues run too. */
async function readAnHourLater(): Promise<number> {
  world.now += HOUR;
  const { others } = await sweepAndReconcile();
  for (const { kind } of others)
    if (kind === "sync_litellm") await syncLiteLlm({ tenantId: acme, now: world.now }, deps);
  return world.now;
}
/** As the read of a check or a report finds it. */
const note = async (tenant: TenantRecord, litellmRow: Parameters<typeof noteSubject>[0]["litellmRow"]) =>
  noteSubject({ tenant, litellmRow, now: world.now }, deps);

beforeEach(() => void world.litellm.setSpend(key, 5));

describe("a key deleted in LiteLLM", () => {
  it("shows as missing at the edge and in litellm_sync_error, since the first read that found it missing", async () => {
    await world.manage("POST", "/key/delete", { keys: [VIRTUAL_KEY] });
    const seenAt = await readAnHourLater();
    await readAnHourLater();
    expect(await inPostgres()).toEqual([seenAt, null, "LiteLLM does not know this key"]);
    expect(await atTheEdge()).toEqual([seenAt, null]);
    const [line, ...further] = deps.log.lines.filter((each) => each.includes("litellm subject changed"));
    expect([line, further]).toEqual(['warn litellm subject changed {"tenant_id":"acme","finding":"missing"}', []]);
  });

  it("shows as usable again once LiteLLM has it again", async () => {
    await note(await tenantNow(), null);
    await readAnHourLater();
    expect([await inPostgres(), await atTheEdge()]).toEqual([
      [null, null, null],
      [null, null],
    ]);
  });

  it("queues the sync again when the consumer died before it queued it", async () => {
    const noted = await note(await tenantNow(), null);
    deps.spendQueue.sent.length = 0;
    expect(await note(noted, null)).toBe(noted);
    expect(deps.spendQueue.sent.map(({ message }) => message)).toMatchObject([{ kind: "sync_litellm" }]);
  });

  it("queues no further sync while one is pending, because the sweep retries it", async () => {
    const { config } = await note(await tenantNow(), null);
    const outcome = { status: "pending", triedAt: START, error: "no", isUnreachable: false } as const;
    await deps.tenants.recordSync(acme, config.revision, outcome);
    deps.spendQueue.sent.length = 0;
    await note(await tenantNow(), null);
    expect(deps.spendQueue.sent).toEqual([]);
  });

  it("does not count as missing while Bursar has yet to create it", async () => {
    const tenant = { ...(await tenantNow()), encryptedKey: "v1.k.iv.body" };
    expect(await note(tenant, null)).toBe(tenant);
    expect(await inPostgres()).toEqual([null, null, null]);
  });
});

describe("a key blocked in LiteLLM", () => {
  it("shows as blocked while another administrator blocks it", async () => {
    await world.manage("POST", "/key/block", { key: VIRTUAL_KEY });
    const seenAt = await readAnHourLater();
    expect([await inPostgres(), await atTheEdge()]).toEqual([
      [null, seenAt, null],
      [null, seenAt],
    ]);
    await world.manage("POST", "/key/unblock", { key: VIRTUAL_KEY });
    await readAnHourLater();
    expect(await atTheEdge()).toEqual([null, null]);
  });

  it("does not show as blocked there when Bursar itself blocks it for a suspension", async () => {
    await suspendTenant({ tenantId: acme, actor: anActor({ now: world.now }) }, deps);
    expect(await world.keyRow(key)).toMatchObject({ blocked: true });
    await readAnHourLater();
    expect(await inPostgres()).toEqual([null, null, null]);
  });
});

it("changes nothing for a read of a subject that the tenant no longer has", async () => {
  const tenant = await tenantNow();
  expect(await note(tenant, aLiteLlmRow({ subject: { kind: "team", id: "theirs" }, blocked: true }))).toBe(tenant);
});

it("returns the given tenant when it was deleted meanwhile", async () => {
  const tenant = await tenantNow();
  await world.db.query("update tenant_configs set deleted_at = now()");
  expect(await note(tenant, aLiteLlmRow({ subject: tenant.config.subject, blocked: true }))).toBe(tenant);
});
