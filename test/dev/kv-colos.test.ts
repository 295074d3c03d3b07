// The simulated KV of several colos: how long a colo answers from its copy, and which writes are refused.

import { beforeEach, describe, expect, it } from "vitest";
import { type ColoView, createColoView, WriteLog } from "../../dev/kv/colo-view.ts";
import { createKvHandler } from "../../dev/kv/kv-handler.js";
import { startKvColos } from "../../dev/kv/start-kv-colos.ts";

const TIMES = { hotMs: 10, coldMs: 60 };

let now: number;
let waits: number[];
let writes: WriteLog;
let frankfurt: ColoView;
let singapore: ColoView;

beforeEach(() => {
  now = 1_000_000;
  waits = [];
  const central = createKvHandler(() => now);
  writes = new WriteLog(() => now);
  const view = (colo: string) =>
    createColoView({
      colo,
      central,
      writes,
      times: () => TIMES,
      now: () => now,
      wait: async (ms) => void waits.push(ms),
    });
  frankfurt = view("FRA");
  singapore = view("SIN");
});

const put = (view: ColoView, key: string, value: string) =>
  view.handler(new Request(`http://kv/${key}`, { method: "PUT", body: value }));
async function get(view: ColoView, key: string, ttlSeconds = 30): Promise<string | null> {
  const answer = await view.handler(new Request(`http://kv/${key}?cache_ttl=${ttlSeconds}`));
  return answer.status === 404 ? null : answer.text();
}
async function getMany(view: ColoView, keys: string[]): Promise<unknown> {
  const body = JSON.stringify({ keys, type: "text", cacheTtl: 30 });
  return (await view.handler(new Request("http://kv/bulk/get", { method: "POST", body }))).json();
}

describe("a colo's copy", () => {
  it("answers until its 30 s have passed, whatever another colo has written", async () => {
    await put(frankfurt, "spend", "1");
    expect(await get(singapore, "spend")).toBe("1");
    now += 2_000;
    await put(frankfurt, "spend", "2");
    now += 27_999;
    expect(await get(singapore, "spend")).toBe("1");
    now += 1;
    expect(await get(singapore, "spend")).toBe("2");
  });

  it("shows a write at once in the colo that made it", async () => {
    expect(await get(frankfurt, "spend")).toBe(null);
    await put(frankfurt, "spend", "1");
    expect(await get(frankfurt, "spend")).toBe("1");
  });

  it("remembers a missing key and a deleted one", async () => {
    expect(await getMany(singapore, ["spend", "config"])).toEqual({ spend: null, config: null });
    await put(frankfurt, "spend", "1");
    expect(await getMany(singapore, ["spend", "config"])).toEqual({ spend: null, config: null });
    now += 30_000;
    expect(await get(singapore, "spend")).toBe("1");
    await frankfurt.handler(new Request("http://kv/spend", { method: "DELETE" }));
    expect([await get(frankfurt, "spend"), await get(singapore, "spend")]).toEqual([null, "1"]);
  });

  it("does not answer a reader whose cacheTtl is shorter than its age", async () => {
    await get(singapore, "spend");
    await put(frankfurt, "spend", "1");
    now += 10_000;
    expect(await get(singapore, "spend", 10)).toBe("1");
  });

  it("can be aged and cleared, so that no test waits 30 s", async () => {
    await get(singapore, "spend");
    await put(frankfurt, "spend", "1");
    singapore.ageCopies(29_999);
    expect(await get(singapore, "spend")).toBe(null);
    singapore.ageCopies(1);
    expect(await get(singapore, "spend")).toBe("1");
    now += 1_000;
    await put(frankfurt, "spend", "2");
    singapore.clearCopies();
    expect(await get(singapore, "spend")).toBe("2");
  });

  it("makes a read fast, and a bulk read as slow as its slowest key", async () => {
    await get(singapore, "spend");
    await get(singapore, "spend");
    await getMany(singapore, ["spend", "config"]);
    await getMany(singapore, ["spend", "config"]);
    expect(waits).toEqual([60, 10, 60, 10]);
  });
});

describe("a write", () => {
  it("fails within a second of the key's last accepted one, from whatever colo", async () => {
    const statuses = [];
    for (const [view, key] of [
      [frankfurt, "spend"],
      [singapore, "spend"],
      [singapore, "config"],
    ] as const) {
      statuses.push((await put(view, key, "1")).status);
      now += 400;
    }
    // A refused write does not make the second begin anew.
    now += 200 - 400;
    statuses.push((await put(singapore, "spend", "2")).status);
    expect(statuses).toEqual([200, 429, 200, 200]);
    expect(writes.all().map(({ key, colo, isRefused }) => [key, colo, isRefused])).toEqual([
      ["spend", "FRA", false],
      ["spend", "SIN", true],
      ["config", "SIN", false],
      ["spend", "SIN", false],
    ]);
  });

  it("changes nothing when it is refused", async () => {
    await put(frankfurt, "spend", "1");
    await put(frankfurt, "spend", "2");
    expect([await get(frankfurt, "spend"), await get(singapore, "spend")]).toEqual(["1", "1"]);
  });
});

it("serves each colo at its own address, with a control of its copies", async () => {
  const kv = await startKvColos(["FRA", "SIN"], { hotMs: 0, coldMs: 0 });
  try {
    const url = (colo: string, path: string) => `http://${kv.addressIn(colo)}/${path}`;
    const textAt = async (colo: string) => (await fetch(url(colo, "spend?cache_ttl=30"))).text();
    await fetch(url("FRA", "spend"), { method: "PUT", body: "1" });
    expect([await textAt("SIN"), await kv.get("spend")]).toEqual(["1", "1"]);
    await kv.put("spend", "2");
    expect(await textAt("SIN")).toBe("1");
    await fetch(url("SIN", "_copies"), { method: "PUT", body: "30000" });
    expect([await textAt("SIN"), await textAt("FRA")]).toEqual(["2", "1"]);
    await fetch(url("FRA", "_copies"), { method: "DELETE" });
    expect(await textAt("FRA")).toBe("2");
    expect(() => kv.addressIn("IAD")).toThrow("no such colo: IAD");
  } finally {
    await kv.stop();
  }
});
