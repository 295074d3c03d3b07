// The sealer on real Web Crypto: what goes in comes out, under rotation too, and nothing else ever does.

import { describe, expect, it } from "vitest";
import { aesCipher } from "../../../src/adapters/cloudflare/aes-cipher.ts";

const keyOf = (id: string, fill: number) => ({ id, key: new Uint8Array(32).fill(fill) });
const first = keyOf("2026-01", 1);
const second = keyOf("2026-02", 2);

describe("the sealer", () => {
  it.each(["sk-secret", "", "Zoë 💸", "x".repeat(10_000)])("opens what it sealed: %.20s", async (text) => {
    const cipher = aesCipher([first]);
    expect(await cipher.open(await cipher.encrypt(text))).toBe(text);
  });

  it("names version and key, and hides the text", async () => {
    const encrypted = await aesCipher([first]).encrypt("sk-secret");
    expect(encrypted).toMatch(/^v1\.2026-01\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{34}$/);
    expect(atob(encrypted.split(".")[3]?.replaceAll("-", "+").replaceAll("_", "/") ?? "")).not.toContain("secret");
  });

  it("never seals the same text twice alike", async () => {
    const cipher = aesCipher([first]);
    expect(await cipher.encrypt("same")).not.toBe(await cipher.encrypt("same"));
  });

  it("seals with the first key and opens with any: that is rotation", async () => {
    const old = await aesCipher([first]).encrypt("kept");
    const rotated = aesCipher([second, first]);
    expect(await rotated.open(old)).toBe("kept");
    expect(await rotated.encrypt("new")).toMatch(/^v1\.2026-02\./);
  });

  it("throws when the key is gone, or is another under the same id", async () => {
    const encrypted = await aesCipher([first]).encrypt("secret");
    await expect(aesCipher([second]).open(encrypted)).rejects.toThrow("2026-01");
    await expect(aesCipher([keyOf("2026-01", 9)]).open(encrypted)).rejects.toThrow();
  });

  it("throws when any part was tampered with", async () => {
    const cipher = aesCipher([first, keyOf("twin", 1)]);
    const encrypted = await cipher.encrypt("secret");
    const parts = encrypted.split(".");
    const flipped = (index: number) =>
      parts.map((part, at) => (at === index ? `${part.startsWith("A") ? "B" : "A"}${part.slice(1)}` : part)).join(".");
    await expect(cipher.open(flipped(2))).rejects.toThrow();
    await expect(cipher.open(flipped(3))).rejects.toThrow();
    // The same key under another name: only the authenticated head tells.
    await expect(cipher.open(encrypted.replace("2026-01", "twin"))).rejects.toThrow();
    await expect(cipher.open(encrypted.replace("v1", "v2"))).rejects.toThrow("not a sealed text");
    await expect(cipher.open(`${encrypted}.x`)).rejects.toThrow("not a sealed text");
    await expect(cipher.open("plain")).rejects.toThrow("not a sealed text");
  });

  it("cannot be made without a key", () => {
    expect(() => aesCipher([])).toThrow("no key");
  });
});
