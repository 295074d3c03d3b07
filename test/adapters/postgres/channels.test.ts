// Channels in Postgres: each change is one statement with an audit line that never shows the target.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresChannels } from "../../../src/adapters/postgres/notices/channels.ts";
import type { ChannelId, ChannelRecord, NewChannel } from "../../../src/records/channel.ts";
import { cursorOf } from "../../../src/wire/page-cursor.ts";
import { NOW, SECOND } from "../../budget/builders.ts";
import { aNewTenant, anActor, hashOf, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { auditLog, useTenants } from "../../support/servers/tenant-database.ts";

const NOBODY = "00000000-0000-4000-8000-000000000000" as ChannelId;
const later = anActor({ name: "bob", requestId: "request-2", now: NOW + SECOND });

function aNewChannel(differences: Partial<NewChannel> = {}): NewChannel {
  return {
    tenantId: null,
    kind: "slack",
    name: "Finance",
    encryptedTarget: "sealed-target",
    targetHint: "hooks.slack.com",
    enabled: true,
    events: null,
    minSeverity: "info",
    ...differences,
  };
}

describe.each(postgresBackends)("channels on $name", (backend) => {
  const { db, tenants, create: createTenant } = useTenants(backend);
  const channels = postgresChannels(() => db.database());
  beforeEach(() => createTenant());

  async function create(differences: Partial<NewChannel> = {}, actor = anActor()): Promise<ChannelRecord> {
    const created = await channels.create(aNewChannel(differences), actor);
    if (!created.ok) throw new Error(created.failure);
    return created.value;
  }

  const lines = async () => (await auditLog(db)).filter(({ action }) => action.startsWith("channel"));
  const all = { tenantId: null, before: null, limit: 200 };

  it("stores a channel of the platform or of a tenant", async () => {
    for (const tenantId of [null, idOf("acme")]) {
      const wanted = aNewChannel({ tenantId, kind: "webhook", enabled: false });
      const made = await create(wanted);
      expect(made).toEqual({
        ...wanted,
        id: expect.any(String),
        lastError: null,
        lastErrorAt: null,
        brokenSince: null,
        version: 1,
        createdAt: NOW,
        updatedAt: NOW,
      });
      expect(await channels.load(made.id)).toEqual(made);
    }
  });

  it("creates and audits nothing for a missing or deleted tenant", async () => {
    await tenants.markDeleted(idOf("acme"), anActor());
    for (const tenantId of [idOf("nobody"), idOf("acme")]) {
      expect(await channels.create(aNewChannel({ tenantId }), anActor())).toEqual({
        ok: false,
        failure: "tenant_not_found",
      });
    }
    expect([await channels.list(all), await lines()]).toEqual([{ rows: [], next: null }, []]);
  });

  it("changes only the given fields, and audits actor, before and after", async () => {
    const made = await create({ tenantId: idOf("acme") });
    const changed = await channels.change(made.id, { name: "Ops", enabled: false }, later);
    expect(changed).toEqual({ ...made, name: "Ops", enabled: false, version: 2, updatedAt: NOW + SECOND });
    expect(await channels.load(made.id)).toEqual(changed);
    const shown = { id: made.id, tenant_id: "acme", kind: "slack", target_hint: "hooks.slack.com" };
    expect((await lines()).slice(1)).toMatchObject([
      {
        at: new Date(NOW + SECOND),
        actor: "bob",
        action: "channel_changed",
        tenant_id: "acme",
        request_id: "request-2",
        before: { ...shown, name: "Finance", enabled: true },
        after: { ...shown, name: "Ops", enabled: false },
        detail: null,
      },
    ]);
  });

  it("changes and audits nothing when nothing differs", async () => {
    const made = await create();
    expect(await channels.change(made.id, { name: "Finance", enabled: true }, later)).toEqual(made);
    expect(await channels.change(made.id, {}, later)).toEqual(made);
    expect((await lines()).map(({ action }) => action)).toEqual(["channel_created"]);
  });

  it("audits that a target changed, never the target, encrypted or not", async () => {
    const made = await create();
    await channels.change(made.id, { encryptedTarget: "another-seal", targetHint: "chat.example" }, later);
    await channels.remove(made.id, later);
    const audited = await lines();
    expect(audited[1]).toMatchObject({ detail: { target_changed: true }, after: { target_hint: "chat.example" } });
    expect(JSON.stringify(audited)).not.toMatch(/encrypted-target|another-encrypt/);
    expect((await db.query("select * from audit_log where detail is not null")).length).toBe(1);
  });

  it("deletes a channel once with its deliveries, and audits the actor", async () => {
    const made = await create();
    expect([await channels.remove(made.id, later), await channels.remove(made.id, later)]).toEqual([true, false]);
    expect(await channels.load(made.id)).toBeNull();
    expect(await channels.change(made.id, { name: "x" }, later)).toBeNull();
    expect((await lines()).slice(1)).toMatchObject([
      { action: "channel_deleted", actor: "bob", tenant_id: null, before: { name: "Finance" }, after: null },
    ]);
  });

  it("finds no unknown channel", async () => {
    expect(await channels.load(NOBODY)).toBeNull();
    expect(await channels.change(NOBODY, { name: "x" }, later)).toBeNull();
    expect(await channels.remove(NOBODY, later)).toBe(false);
  });

  it("hides the channels of a deleted tenant", async () => {
    const theirs = await create({ tenantId: idOf("acme") });
    const ours = await create();
    await tenants.markDeleted(idOf("acme"), anActor());
    expect((await channels.list(all)).rows).toEqual([ours]);
    expect(await channels.load(theirs.id)).toBeNull();
    expect(await channels.change(theirs.id, { name: "x" }, later)).toBeNull();
    expect(await channels.remove(theirs.id, later)).toBe(false);
  });

  it("lists each channel once, newest first, paged, while channels are added", async () => {
    const made: ChannelRecord[] = [];
    for (let index = 0; index < 5; index++) {
      made.push(await create({ name: `${index}` }, anActor({ now: NOW + Math.floor(index / 2) })));
    }
    const listed: ChannelRecord[] = [];
    let before: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof channels.list>> = await channels.list({ tenantId: null, before, limit: 2 });
      listed.push(...page.rows);
      before = page.next;
      await create({ name: "new" }, anActor({ now: NOW + SECOND }));
    } while (before !== null);
    const newestFirst = made.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
    expect(listed).toEqual(newestFirst);
  });

  it("has no next page after an exactly full one", async () => {
    const made = await create();
    expect(await channels.list({ ...all, limit: 1 })).toEqual({ rows: [made], next: null });
  });

  it("filters by tenant, and ends after the last channel", async () => {
    await createTenant(aNewTenant({ tenantId: idOf("other"), subject: { kind: "key", id: hashOf("b") } }));
    const acme = await create({ tenantId: idOf("acme") });
    await create({ tenantId: idOf("other") });
    await create();
    expect(await channels.list({ ...all, tenantId: idOf("acme") })).toEqual({ rows: [acme], next: null });
    const end = cursorOf({ at: acme.createdAt, id: acme.id });
    expect((await channels.list({ ...all, tenantId: idOf("acme"), before: end })).rows).toEqual([]);
  });
});
