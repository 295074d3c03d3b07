// Signatures in both directions: the specification's library accepts Bursar's signatures, and Bursar accepts only the
// exact bytes, in time and under one of the secrets.

import { createHmac } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { signStandardWebhook, verifyHexSignature, verifyStandardWebhook } from "../../src/wire/signing.ts";

const AT = 1_800_000_000;
const BODY = '{"spend":0.9,"event":"threshold_crossed"}';
const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));
const base64 = (key: Uint8Array) => Buffer.from(key).toString("base64");

const sign = (secret: string, body = BODY, id = "msg_1", timestampSeconds = AT) =>
  signStandardWebhook(secret, { id, timestampSeconds, body });

interface Sent {
  readonly id?: string | undefined;
  readonly timestamp?: string | undefined;
  readonly signature?: string | undefined;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly now?: number;
}

const verify = (secrets: readonly string[], sent: Sent) => {
  const { body = bytes(BODY), now = AT * 1_000, ...given } = sent;
  const headers = { id: "msg_1", timestamp: String(AT), signature: undefined, ...given };
  return verifyStandardWebhook(secrets, { headers, body, now });
};
const YES = { id: "msg_1", signedAt: AT * 1_000 };

const secretBytes = fc.uint8Array({ minLength: 1, maxLength: 80 });
const anySecret = fc.oneof(
  secretBytes.map((key) => `whsec_${base64(key)}`),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 80 }),
);
const anyId = fc.stringMatching(/^[\x21-\x7e]{1,60}$/);

describe("Standard Webhooks", () => {
  it("verifies its own signature", async () => {
    const message = fc.record({ secret: anySecret, id: anyId, body: fc.string({ unit: "binary" }), at: fc.nat(4e9) });
    await fc.assert(
      fc.asyncProperty(message, async ({ secret, id, body, at }) => {
        fc.pre(!secret.startsWith("whsec_") || secret.length > "whsec_".length);
        const signature = await sign(secret, body, id, at);
        const sent = { id, timestamp: String(at), signature, body: bytes(body), now: at * 1_000 };
        expect(await verify([secret], sent)).toEqual({ id, signedAt: at * 1_000 });
      }),
    );
  });

  it("agrees with the standard's own library", async () => {
    await fc.assert(
      fc.asyncProperty(secretBytes, anyId, fc.string({ unit: "grapheme" }), async (key, id, body) => {
        const secret = `whsec_${base64(key)}`;
        const theirs = new Webhook(secret);
        const at = Math.floor(Date.now() / 1_000);
        const signature = await sign(secret, body, id, at);
        expect(signature).toBe(theirs.sign(id, new Date(at * 1_000), body));
        const headers = { "webhook-id": id, "webhook-timestamp": String(at), "webhook-signature": signature };
        theirs.verify(body, headers, { jsonParse: false });
      }),
    );
  });

  it("uses a secret without the prefix as raw bytes, like the library", async () => {
    const theirs = new Webhook("plain-secret", { format: "raw" });
    expect(await sign("plain-secret")).toBe(theirs.sign("msg_1", new Date(AT * 1_000), BODY));
  });

  it("refuses a changed bit in id, time, body or signature", async () => {
    const secret = `whsec_${base64(new Uint8Array(32).fill(9))}`;
    const sent = { id: "msg_1", timestamp: String(AT), signature: await sign(secret), body: BODY };
    expect(await verify([secret], { ...sent, body: bytes(BODY) })).toEqual(YES);
    for (const part of ["id", "timestamp", "signature", "body"] as const) {
      const whole = bytes(sent[part]);
      for (let bit = 0; bit < whole.length * 8; bit++) {
        const changed = whole.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const text = new TextDecoder("latin1").decode(changed);
        const given = part === "body" ? { ...sent, body: changed } : { ...sent, [part]: text, body: bytes(BODY) };
        expect(await verify([secret], given), `${part} bit ${bit}`).toBeNull();
      }
    }
  });

  it.each([
    ["300 s ago", 300, true],
    ["301 s ago", 301, false],
    ["300 s ahead", -300, true],
    ["301 s ahead", -301, false],
  ])("checks a signature from %s: %s later", async (_, secondsLater, isTaken) => {
    const verified = await verify(["s"], { signature: await sign("s"), now: (AT + secondsLater) * 1_000 });
    expect(verified).toEqual(isTaken ? YES : null);
  });

  it("accepts any of several secrets, and no other", async () => {
    for (const secret of ["new", "old"]) {
      expect(await verify(["new", "old"], { signature: await sign(secret) })).toEqual(YES);
    }
    expect(await verify(["new", "old"], { signature: await sign("older") })).toBeNull();
    expect(await verify([], { signature: await sign("new") })).toBeNull();
  });

  it("accepts any signature of the list, and ignores unknown versions", async () => {
    const [right, wrong] = [await sign("s"), await sign("another")];
    expect(await verify(["s"], { signature: `v1a,abc ${wrong} ${right}` })).toEqual(YES);
    expect(await verify(["s"], { signature: right.replace("v1,", "v2,") })).toBeNull();
    expect(await verify(["s"], { signature: `${Array(15).fill(wrong).join(" ")} ${right}` })).toEqual(YES);
    expect(await verify(["s"], { signature: `${Array(16).fill(wrong).join(" ")} ${right}` })).toBeNull();
  });

  it.each([
    ["no id", { id: undefined }],
    ["an empty id", { id: "" }],
    ["an id with a space", { id: "msg 1" }],
    ["an id that is too long", { id: "m".repeat(256) }],
    ["no time", { timestamp: undefined }],
    ["a time with a sign", { timestamp: `+${AT}` }],
    ["a time with a fraction", { timestamp: `${AT}.0` }],
    ["a time with an exponent", { timestamp: "18e8" }],
    ["a time in hex", { timestamp: `0x${AT.toString(16)}` }],
    ["a time with a leading zero", { timestamp: `0${AT}` }],
    ["a time with a space", { timestamp: ` ${AT}` }],
    ["no signature", { signature: undefined }],
    ["an empty signature", { signature: "" }],
    ["nothing after the version", { signature: "v1," }],
    ["something that is no base64", { signature: "v1,*" }],
  ])("refuses %s", async (_, differences) => {
    const { id = "msg_1", timestamp = String(AT) } = differences as Sent;
    // The signature matches these headers, so only their format is refused.
    const key = `${id}.${timestamp}.${BODY}`;
    const signature = `v1,${createHmac("sha256", "s").update(key).digest("base64")}`;
    expect(await verify(["s"], { signature, ...differences })).toBeNull();
  });

  it("verifies a body that is not text", async () => {
    const body = new Uint8Array([0xff, 0xfe, 0x00, 0x80]);
    const content = Buffer.concat([Buffer.from(`msg_1.${AT}.`), body]);
    const signature = `v1,${createHmac("sha256", "s").update(content).digest("base64")}`;
    expect(await verify(["s"], { signature, body })).toEqual(YES);
    expect(await verify(["s"], { signature, body: bytes(new TextDecoder().decode(body)) })).toBeNull();
  });
});

describe("a hex signature of the body", () => {
  const hex = createHmac("sha256", "s").update(BODY).digest("hex");

  it.each([
    ["bare", hex, true],
    ["with its algorithm", `sha256=${hex}`, true],
    ["in upper case", hex.toUpperCase(), true],
    ["with another algorithm", `sha1=${hex}`, false],
    ["too short", hex.slice(1), false],
    ["too long", `${hex}0`, false],
    ["empty", "", false],
    ["absent", undefined, false],
    ["of another body", createHmac("sha256", "s").update(`${BODY} `).digest("hex"), false],
    ["in base64", createHmac("sha256", "s").update(BODY).digest("base64"), false],
  ])("%s", async (_, signature, isRight) => {
    expect(await verifyHexSignature(["other", "s"], { signature, body: bytes(BODY) })).toBe(isRight);
  });

  it("refuses a changed bit of the body", async () => {
    const whole = bytes(BODY);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const body = whole.slice();
      body[bit >> 3] = (body[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await verifyHexSignature(["s"], { signature: hex, body })).toBe(false);
    }
  });

  it("refuses a changed digit", async () => {
    for (let at = 0; at < hex.length; at++) {
      const signature = `${hex.slice(0, at)}${hex[at] === "0" ? "1" : "0"}${hex.slice(at + 1)}`;
      expect(await verifyHexSignature(["s"], { signature, body: bytes(BODY) })).toBe(false);
    }
  });
});

describe("an empty or malformed secret", () => {
  it.each([
    ["", ""],
    ["whsec_", ""],
    ["whsec_*not base64*", ""],
  ])("verifies nothing and signs nothing with %j", async (secret) => {
    const signature = `v1,${createHmac("sha256", "").update(`msg_1.${AT}.${BODY}`).digest("base64")}`;
    expect(await verify([secret], { signature })).toBeNull();
    const hex = createHmac("sha256", "").update(BODY).digest("hex");
    expect(await verifyHexSignature([secret], { signature: hex, body: bytes(BODY) })).toBe(false);
    await expect(sign(secret)).rejects.toThrow("empty or malformed");
  });

  it("leaves the other secrets valid", async () => {
    expect(await verify(["", "whsec_*", "s"], { signature: await sign("s") })).toEqual(YES);
  });
});
