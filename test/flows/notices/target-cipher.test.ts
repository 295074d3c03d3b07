// Decrypting a channel's target: whole or not at all, and never in the log.

import { expect, it } from "vitest";
import { aesCipher } from "../../../src/adapters/cloudflare/aes-cipher.ts";
import { decryptTarget } from "../../../src/flows/notices/target-cipher.ts";
import { aChannel, TARGETS } from "../../support/builders/notice-builders.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";

const KEY = { id: "k1", key: new Uint8Array(32).fill(1) };
const OTHER = { id: "k2", key: new Uint8Array(32).fill(2) };
const cipher = aesCipher([KEY]);

async function opened(kind: keyof typeof TARGETS, encryptedTarget: string) {
  const log = new RecordedLog();
  return { target: await decryptTarget(aChannel({ kind, encryptedTarget }), { cipher, log }), lines: log.lines };
}

it.each(["slack", "email", "webhook", "pagerduty", "teams", "discord"] as const)(
  "decrypts the target of a channel of kind %s",
  async (kind) => {
    expect(await opened(kind, await cipher.encrypt(JSON.stringify(TARGETS[kind])))).toEqual({
      target: TARGETS[kind],
      lines: [],
    });
  },
);

it.each([
  ["no JSON", "https://hooks.slack.com/SECRET"],
  ["no object", '"SECRET"'],
  ["null", "null"],
  ["of another kind than its channel", JSON.stringify(TARGETS.email)],
  ["of no kind", JSON.stringify({ kind: "pigeon", url: "SECRET" })],
  ["without a URL", JSON.stringify({ kind: "slack", to: ["SECRET"] })],
  ["with an empty URL", JSON.stringify({ kind: "slack", url: "" })],
])("rejects a target that is %s, and does not quote it in the log", async (_, text) => {
  const { target, lines } = await opened("slack", await cipher.encrypt(text));
  expect(target).toBeNull();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(aChannel().id);
  expect(lines[0]).not.toContain("SECRET");
});

it.each([
  ["email", { kind: "email", to: [] }],
  ["email", { kind: "email", to: ["a@example.com", 7] }],
  ["email", { kind: "email", to: "a@example.com" }],
  ["webhook", { kind: "webhook", url: "https://example.com" }],
  ["pagerduty", { kind: "pagerduty", url: "https://example.com" }],
  ["teams", { kind: "teams" }],
] as const)("rejects a target of kind %s with a missing part: %j", async (kind, target) => {
  expect((await opened(kind, await cipher.encrypt(JSON.stringify(target)))).target).toBeNull();
});

it("rejects a target encrypted under a removed key, and logs the key's name", async () => {
  const { target, lines } = await opened("slack", await aesCipher([OTHER]).encrypt(JSON.stringify(TARGETS.slack)));
  expect(target).toBeNull();
  expect(lines[0]).toContain("target decryption failed");
  expect(lines[0]).toContain("k2");
});
