// The hash of a virtual key, and what counts as a raw key.

import { expect, it } from "vitest";
import { holdsVirtualKey, keyHashFrom, keyHashOf } from "../../src/wire/key-hash.ts";
import { sha256 } from "../support/builders/virtual-key.ts";

const HASH = "ab".repeat(32);

it("hashes a key as LiteLLM does: SHA-256 in lower-case hex", async () => {
  expect(await keyHashOf("sk-dev")).toBe(sha256("sk-dev"));
  expect(await keyHashOf("schlüssel")).toBe(sha256("schlüssel"));
});

it.each([
  [HASH, HASH],
  [HASH.toUpperCase(), HASH],
  ["sk-1", sha256("sk-1")],
  ["Bearer sk-1", sha256("sk-1")],
  ["bearer  sk-1 ", sha256("sk-1")],
  ["Key=sk-1", sha256("Key=sk-1")],
])("takes %j for the hash of a key", async (named, hash) => {
  expect(await keyHashFrom(named)).toBe(hash);
});

it.each([undefined, null, "", "virtual-key", `${HASH}0`, `${HASH.slice(1)}g`, 7, [HASH], { key: "sk-1" }])(
  "takes %j for no key",
  async (named) => {
    expect(await keyHashFrom(named)).toBeNull();
  },
);

it.each(["sk-1", "Bearer sk-1", "_sk-1", "key=sk-1", "ésk-1"])("sees the key in %j", (text) => {
  expect(holdsVirtualKey(text)).toBe(true);
});

it.each(["", "task-1", "desk-2", "RISK-3", "sk1", "9sk-1"])("sees no key in %j", (text) => {
  expect(holdsVirtualKey(text)).toBe(false);
});
