// Faults that the simulator adds to the alert webhook on request: copies, delays, and a relay that signs.

import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WebhookReceiver } from "../../dev/litellm/outgoing/receivers.ts";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { clientOf } from "./support.ts";

let litellm: Litellm;
let receiver: Receiver;
let draws: number[];

beforeEach(async () => {
  receiver = await startReceiver();
  draws = [];
  litellm = await startLitellm({ callMs: 0, databaseDelayMs: 0, random: () => draws.shift() ?? 0 });
});
afterEach(async () => {
  await litellm.stop();
  await receiver.stop();
});

/** Sends one `spend_tracked` per cost, with these faults. */
async function track(faults: Omit<WebhookReceiver, "url">, costs: number[]): Promise<void> {
  litellm.connect({ webhook: { url: receiver.url, ...faults } });
  const client = clientOf(litellm);
  const key = await client.newKey();
  for (const cost of costs) await client.chat(key, { cost, body: { user: "customer-7" } });
  await litellm.settled();
}
const arrived = () => receiver.received.map(({ json }) => json.spend);

describe("copies", () => {
  it("sends as many identical copies as configured", async () => {
    await track({ copies: 3 }, [1]);
    expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1);
    expect(receiver.received).toHaveLength(3);
  });

  it("draws the number of copies from a range, both ends included", async () => {
    draws = [0, 0.999, 0.5];
    await track({ copies: { min: 1, max: 3 } }, [1, 2, 3]);
    expect(arrived().toSorted()).toEqual([1, 2, 2, 2, 3, 3]);
  });
});

it("random delays let alerts overtake each other", async () => {
  draws = [0.999, 0.5, 0];
  await track({ delayMs: { min: 0, max: 2_000 } }, [1, 2, 3]);
  expect(arrived()).toEqual([3, 2, 1]);
});

it("drops a delayed alert when the simulator stops", async () => {
  litellm.connect({ webhook: { url: receiver.url, delayMs: 1_000 } });
  const client = clientOf(litellm);
  await client.chat(await client.newKey(), { body: { user: "customer-7" } });
  await litellm.stop();
  await litellm.settled();
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  expect([receiver.received, litellm.sent()]).toEqual([[], []]);
});

describe("a relay", () => {
  const secret = `whsec_${Buffer.from("a key of the relay, in base64").toString("base64")}`;

  it("signs as Standard Webhooks says, and gives copies the same id", async () => {
    await track({ copies: 2, relay: { scheme: "standard-webhooks", secret } }, [1]);
    for (const { text, headers } of receiver.received) {
      expect(new Webhook(secret).verify(text, headers)).toMatchObject({ event: "spend_tracked" });
      expect(() => new Webhook("c29tZXRoaW5nIGVsc2U=").verify(text, headers)).toThrow();
    }
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  });

  it("takes a secret without whsec_ by its bytes", async () => {
    await track({ relay: { scheme: "standard-webhooks", secret: "plain" } }, [1]);
    const { text, headers } = receiver.received[0] ?? { text: "", headers: {} };
    expect(() => new Webhook("plain", { format: "raw" }).verify(text, headers)).not.toThrow();
  });

  it("signs the body alone in x-litellm-signature", async () => {
    await track({ relay: { scheme: "x-litellm-signature", secret: "plain" } }, [1]);
    const [{ text, headers } = { text: "", headers: {} }] = receiver.received;
    const expected = `sha256=${createHmac("sha256", "plain").update(text).digest("hex")}`;
    expect((headers as Record<string, string>)["x-litellm-signature"]).toBe(expected);
  });
});
