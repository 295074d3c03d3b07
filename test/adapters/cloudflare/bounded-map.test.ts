// The bound of an isolate's memory: by bytes, so that a few huge entries count as much as many small ones.

import { expect, it } from "vitest";
import { BoundedMap } from "../../../src/adapters/cloudflare/bounded-map.ts";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import { anOverride, aTenantConfig, NOW } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";

const lengthOf = (text: string) => text.length;
const textOf = (bytes: number) => "x".repeat(bytes);

it("drops the entries that were set first until the rest fits", () => {
  const map = new BoundedMap<string, string>(100, lengthOf);
  for (const key of ["a", "b", "c"]) map.set(key, textOf(30));
  map.set("d", textOf(60));
  expect([...map.keys()]).toEqual(["c", "d"]);
});

it("keeps an entry that was set again, and counts it once", () => {
  const map = new BoundedMap<string, string>(100, lengthOf);
  for (const key of ["a", "b", "a", "a", "c"]) map.set(key, textOf(33));
  expect([...map.keys()]).toEqual(["b", "a", "c"]);
  map.set("d", textOf(33));
  expect([...map.keys()]).toEqual(["a", "c", "d"]);
});

it("has the room of deleted entries again", () => {
  const map = new BoundedMap<string, string>(100, lengthOf);
  map.set("a", textOf(90)).delete("a");
  expect(map.delete("a")).toBe(false);
  map.set("b", textOf(90)).clear();
  map.set("c", textOf(50)).set("d", textOf(50));
  expect([...map.keys()]).toEqual(["c", "d"]);
});

it("does not keep an entry that is larger than the bound", () => {
  const map = new BoundedMap<string, string>(100, lengthOf);
  map.set("a", textOf(50)).set("b", textOf(101));
  expect([...map.keys()]).toEqual([]);
});

it("remembers ten thousand usual tenants, and fewer whose configs are large", () => {
  const rememberedOf = (overrides: number) => {
    const memory = new IsolateMemory();
    const config = aTenantConfig({ overrides: Array.from({ length: overrides }, () => anOverride()) });
    const ids = Array.from({ length: 10_000 }, (_, n) => idOf(`tenant-${n}`));
    for (const tenantId of ids) memory.rememberTenant(tenantId, { config, spend: null }, NOW);
    return ids.filter((tenantId) => memory.tenant(tenantId) !== null).length;
  };
  expect(rememberedOf(0)).toBe(10_000);
  expect(rememberedOf(30)).toBeLessThan(2_000);
});
