// The outage note in its two stores: KV for checks, and a copy in Postgres for when KV is down.

import { beforeEach, describe, expect, it } from "vitest";
import { NO_OUTAGE } from "../../../src/budget/failure.ts";
import { findOutage, noteOutage, readOutage } from "../../../src/flows/litellm/outage.ts";
import { MINUTE, NOW, SECOND } from "../../budget/builders.ts";
import { AWAY } from "../../support/fakes/fake-litellm.ts";
import { CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

/** One ping a minute from `since`: `x` fails, `.` succeeds. */
async function pings(results: string, since = NOW): Promise<void> {
  for (const [minute, result] of [...results].entries()) {
    world.litellm.pingFailure = result === "x" ? AWAY : null;
    await noteOutage({ now: since + minute * MINUTE }, world.deps());
  }
}
const noted = () => [world.kv.outage, world.outageCopy.note.startedAt];

describe("the sweep", () => {
  it("notes since when LiteLLM is out in both stores, and keeps the first moment", async () => {
    await pings("x");
    expect(noted()).toEqual([null, null]);
    await pings("xx", NOW + MINUTE);
    expect(noted()).toEqual([NOW, NOW]);
    expect(world.log.lines).toEqual(['error litellm outage began {"why":"unreachable"} null']);
  });

  it("keeps the beginning through one good ping in thirty", async () => {
    await pings(`${"x".repeat(29)}.`.repeat(2));
    expect(noted()).toEqual([NOW, NOW]);
  });

  it("ends the outage with the third good ping, and logs how long it was out", async () => {
    await pings("xx...");
    expect(noted()).toEqual([null, null]);
    expect(world.log.lines).toContain('info litellm outage ended {"out_seconds":240}');
  });

  it("ends an outage that the release before noted", async () => {
    world.kv.outage = NOW - 10 * MINUTE;
    await pings("...");
    expect(noted()).toEqual([null, null]);
  });

  it("writes nothing while LiteLLM answers, because KV bills each write", async () => {
    await pings("...");
    expect([world.kv.note, world.snapshots.calls("writeOutage"), world.outageNotes.calls("save")]).toEqual([
      NO_OUTAGE,
      0,
      0,
    ]);
    expect(world.log.lines).toEqual([]);
  });

  it.each(["kv", "postgres"] as const)(
    "notes in one store while %s is away, and brings it up to date",
    async (store) => {
      const away = store === "kv" ? world.kv : world.outageCopy;
      const other = store === "kv" ? world.outageCopy : world.kv;
      away.isAway = true;
      await pings("xx");
      expect(other.note.startedAt).toBe(NOW);
      expect(world.log.lines).toContainEqual(expect.stringContaining(`error ${store} outage read failed`));
      away.isAway = false;
      await pings("x", NOW + 2 * MINUTE);
      expect(noted()).toEqual([NOW, NOW]);
    },
  );

  it("forgets a store's copy from before it was away, so that no old outage begins again", async () => {
    await pings("xx");
    world.outageNotes.trouble("save", new Error("down"));
    await pings(".".repeat(12), NOW + 2 * MINUTE);
    expect(noted()).toEqual([null, NOW]);
    world.outageNotes.trouble("save", null);
    await pings(".", NOW + 60 * MINUTE);
    expect(noted()).toEqual([null, null]);
  });

  it("notes in Postgres when KV refuses the write, and logs it", async () => {
    world.snapshots.trouble("writeOutage", new Error("429"));
    await pings("xx");
    expect(noted()).toEqual([null, NOW]);
    expect(world.log.lines).toContain("error kv outage write failed {} Error: 429");
  });

  it("throws when neither store can be read, so that the sweep logs it", async () => {
    world.kv.isAway = true;
    world.outageCopy.isAway = true;
    await expect(pings("x")).rejects.toThrow("the outage note cannot be read");
  });
});

describe("a check", () => {
  const find = (now = NOW) => findOutage({ now }, world.deps());

  it("reads KV, and remembers the note for 30 seconds", async () => {
    world.kv.outage = NOW - MINUTE;
    expect(await find()).toBe(NOW - MINUTE);
    world.kv.outage = null;
    expect([await find(NOW + 29 * SECOND), await find(NOW + 30 * SECOND)]).toEqual([NOW - MINUTE, null]);
  });

  it("reads Postgres when KV is down, so an open policy ends there too", async () => {
    await pings("xx");
    world.kv.isAway = true;
    expect([await find(), await readOutage(world.deps())]).toEqual([NOW, NOW]);
  });
});
