// The copy of the outage note on each Postgres backend.

import { beforeEach, describe, expect, it } from "vitest";
import { postgresOutageNotes } from "../../../src/adapters/postgres/outage-notes.ts";
import { NO_OUTAGE } from "../../../src/budget/failure.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { postgresBackends } from "../../support/servers/postgres-backends.ts";
import { useTenants } from "../../support/servers/tenant-database.ts";

describe.each(postgresBackends)("the outage note on $name", (backend) => {
  const { db } = useTenants(backend);
  const notes = postgresOutageNotes(() => db.database());
  beforeEach(() => db.query("delete from litellm_outage"));

  it("starts as none, and then holds the last one saved", async () => {
    expect(await notes.load()).toEqual(NO_OUTAGE);
    const out = { startedAt: NOW, pings: [NOW, NOW + MINUTE].map((at) => ({ at, hasAnswered: false })) };
    await notes.save(out);
    expect(await notes.load()).toEqual(out);
    const over = { startedAt: null, pings: [{ at: NOW, hasAnswered: true }] };
    await notes.save(over);
    expect(await notes.load()).toEqual(over);
    expect(await db.query("select id from litellm_outage")).toEqual([{ id: 1 }]);
  });
});
