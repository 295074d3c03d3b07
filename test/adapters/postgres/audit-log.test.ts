// The audit log, newest first, with lines of deleted tenants and lines without a tenant.

import { describe, expect, it } from "vitest";
import { postgresAuditLog } from "../../../src/adapters/postgres/audit/audit-log.ts";
import { NOW, SECOND } from "../../budget/builders.ts";
import { anActor, idOf } from "../../support/builders/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("the audit trail on $name", (backend) => {
  const { db, tenants, create } = useTenants(backend);
  const audit = postgresAuditLog(() => db.database());
  const all = { tenantId: null, before: null, limit: 200 };

  const note = (tenantId: string | null, action: string) =>
    db.query("insert into audit_log (at, actor, action, tenant_id, detail) values ($1, 'bursar', $2, $3, $4)", [
      ...[new Date(NOW), action, tenantId, { webhook_id: "m1" }],
    ]);

  it("shows actor, change, time, and the values before and after", async () => {
    await create({ name: "Acme" });
    await tenants.change(idOf("acme"), { name: "Acme Ltd" }, anActor({ name: "bob", now: NOW + SECOND }));
    const { rows, next } = await audit.list(all);
    expect(next).toBeNull();
    expect(rows).toMatchObject([
      {
        id: expect.any(Number),
        at: NOW + SECOND,
        actor: "bob",
        action: "tenant_changed",
        tenantId: "acme",
        requestId: "request-1",
        before: { name: "Acme" },
        after: { name: "Acme Ltd" },
        detail: null,
      },
      { at: NOW, actor: "alice", action: "tenant_created", before: null, after: { name: "Acme" } },
    ]);
  });

  it("keeps the lines of a deleted tenant, and lines without a tenant", async () => {
    await create();
    await tenants.markDeleted(idOf("acme"), anActor());
    await tenants.remove(idOf("acme"));
    await note(null, "webhook_unmatched");
    const of = async (tenantId: string | null) =>
      (await audit.list({ ...all, tenantId: tenantId === null ? null : idOf(tenantId) })).rows;
    expect((await of("acme")).map(({ action }) => action)).toEqual(["tenant_deleted", "tenant_created"]);
    expect(await of("other")).toEqual([]);
    expect((await of(null))[0]).toMatchObject({
      action: "webhook_unmatched",
      tenantId: null,
      requestId: null,
      detail: { webhook_id: "m1" },
    });
  });

  it("has no next page after an exactly full one", async () => {
    await note("acme", "only");
    expect(await audit.list({ ...all, limit: 1 })).toMatchObject({ rows: [{ action: "only" }], next: null });
  });

  it("shows each line once, paged, while lines are added", async () => {
    for (let index = 0; index < 5; index++) await note("acme", `action_${index}`);
    await note("other", "not_theirs");
    const seen: string[] = [];
    let before: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof audit.list>> = await audit.list({
        tenantId: idOf("acme"),
        before,
        limit: 2,
      });
      seen.push(...page.rows.map(({ action }) => action));
      before = page.next;
      await note("acme", "meanwhile");
    } while (before !== null);
    expect(seen).toEqual([4, 3, 2, 1, 0].map((index) => `action_${index}`));
  });
});
