// The cipher on real Web Crypto: it decrypts what it encrypted, also after a rotation, and nothing else.

import { describe, expect, it } from "vitest";
import { aesCipher } from "../../../src/adapters/cloudflare/aes-cipher.ts";

const keyOf = (id: string, fill: number) => ({ id, key: new Uint8Array(32).fill(fill) });
const first = keyOf("2026-01", 1);
const second = keyOf("2026-02", 2);

describe("the cipher", () => {
  it.each(["sk-secret", "", "Zoë 💸", "x".repeat(10_000)])("decrypts what it encrypted: %.20s", async (text) => {
    const cipher = aesCipher([first]);
    expect(await cipher.decrypt(await cipher.encrypt(text))).toBe(text);
  });

  it("shows version and key id, and hides the text", async () => {
    const encrypted = await aesCipher([first]).encrypt("sk-secret");
    expect(encrypted).toMatch(/^v1\.2026-01\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{34}$/);
    expect(atob(encrypted.split(".")[3]?.replaceAll("-", "+").replaceAll("_", "/") ?? "")).not.toContain("secret");
  });

  it("never encrypts the same text twice alike", async () => {
    const cipher = aesCipher([first]);
    expect(await cipher.encrypt("same")).not.toBe(await cipher.encrypt("same"));
  });

  it("encrypts with the first key and decrypts with any", async () => {
    const old = await aesCipher([first]).encrypt("kept");
    const rotated = aesCipher([second, first]);
    expect(await rotated.decrypt(old)).toBe("kept");
    expect(await rotated.encrypt("new")).toMatch(/^v1\.2026-02\./);
  });

  it("throws when the key is missing, or its id has another key", async () => {
    const encrypted = await aesCipher([first]).encrypt("secret");
    await expect(aesCipher([second]).decrypt(encrypted)).rejects.toThrow("2026-01");
    await expect(aesCipher([keyOf("2026-01", 9)]).decrypt(encrypted)).rejects.toThrow();
  });

  it("throws when any part was changed", async () => {
    const cipher = aesCipher([first, keyOf("twin", 1)]);
    const encrypted = await cipher.encrypt("secret");
    const parts = encrypted.split(".");
    const flipped = (index: number) =>
      parts.map((part, at) => (at === index ? `${part.startsWith("A") ? "B" : "A"}${part.slice(1)}` : part)).join(".");
    await expect(cipher.decrypt(flipped(2))).rejects.toThrow();
    await expect(cipher.decrypt(flipped(3))).rejects.toThrow();
    // The same key under another id: only the authenticated header reveals it.
    await expect(cipher.decrypt(encrypted.replace("2026-01", "twin"))).rejects.toThrow();
    await expect(cipher.decrypt(encrypted.replace("v1", "v2"))).rejects.toThrow("malformed encrypted text");
    await expect(cipher.decrypt(`${encrypted}.x`)).rejects.toThrow("malformed encrypted text");
    await expect(cipher.decrypt("plain")).rejects.toThrow("malformed encrypted text");
  });

  it("throws without a key", () => {
    expect(() => aesCipher([])).toThrow("no encryption key");
  });

  it("verifies what any key of the list has signed, and signs with the first", async () => {
    const old = await aesCipher([first]).sign("acme");
    const rotated = aesCipher([second, first]);
    expect(await rotated.verify("acme", old)).toBe(true);
    expect(await aesCipher([second]).verify("acme", old)).toBe(false);
    expect(await aesCipher([second]).verify("acme", await rotated.sign("acme"))).toBe(true);
  });

  it("refuses a signature of another text, and text that is no signature", async () => {
    const cipher = aesCipher([first]);
    const signature = await cipher.sign("acme");
    expect(await cipher.verify("globex", signature)).toBe(false);
    expect(await cipher.verify("acme", `${signature.slice(0, -2)}AA`)).toBe(false);
    for (const text of ["", "%", "💸"]) expect(await cipher.verify("acme", text)).toBe(false);
  });
});
