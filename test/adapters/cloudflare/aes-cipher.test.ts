// The sealer on real Web Crypto: what goes in comes out, under rotation too, and nothing else ever does.

import { describe, expect, it } from "vitest";
import { aesSealer } from "../../../src/adapters/cloudflare/aes-cipher.ts";

const keyOf = (id: string, fill: number) => ({ id, key: new Uint8Array(32).fill(fill) });
const first = keyOf("2026-01", 1);
const second = keyOf("2026-02", 2);

describe("the sealer", () => {
  it.each(["sk-secret", "", "Zoë 💸", "x".repeat(10_000)])("opens what it sealed: %.20s", async (text) => {
    const sealer = aesSealer([first]);
    expect(await sealer.open(await sealer.seal(text))).toBe(text);
  });

  it("names version and key, and hides the text", async () => {
    const sealed = await aesSealer([first]).seal("sk-secret");
    expect(sealed).toMatch(/^v1\.2026-01\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{34}$/);
    expect(atob(sealed.split(".")[3]?.replaceAll("-", "+").replaceAll("_", "/") ?? "")).not.toContain("secret");
  });

  it("never seals the same text twice alike", async () => {
    const sealer = aesSealer([first]);
    expect(await sealer.seal("same")).not.toBe(await sealer.seal("same"));
  });

  it("seals with the first key and opens with any: that is rotation", async () => {
    const old = await aesSealer([first]).seal("kept");
    const rotated = aesSealer([second, first]);
    expect(await rotated.open(old)).toBe("kept");
    expect(await rotated.seal("new")).toMatch(/^v1\.2026-02\./);
  });

  it("throws when the key is gone, or is another under the same id", async () => {
    const sealed = await aesSealer([first]).seal("secret");
    await expect(aesSealer([second]).open(sealed)).rejects.toThrow("2026-01");
    await expect(aesSealer([keyOf("2026-01", 9)]).open(sealed)).rejects.toThrow();
  });

  it("throws when any part was tampered with", async () => {
    const sealer = aesSealer([first, keyOf("twin", 1)]);
    const sealed = await sealer.seal("secret");
    const parts = sealed.split(".");
    const flipped = (index: number) =>
      parts.map((part, at) => (at === index ? `${part.startsWith("A") ? "B" : "A"}${part.slice(1)}` : part)).join(".");
    await expect(sealer.open(flipped(2))).rejects.toThrow();
    await expect(sealer.open(flipped(3))).rejects.toThrow();
    // The same key under another name: only the authenticated head tells.
    await expect(sealer.open(sealed.replace("2026-01", "twin"))).rejects.toThrow();
    await expect(sealer.open(sealed.replace("v1", "v2"))).rejects.toThrow("not a sealed text");
    await expect(sealer.open(`${sealed}.x`)).rejects.toThrow("not a sealed text");
    await expect(sealer.open("plain")).rejects.toThrow("not a sealed text");
  });

  it("cannot be made without a key", () => {
    expect(() => aesSealer([])).toThrow("no key");
  });
});
