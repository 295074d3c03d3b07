// LiteLLM's callback with prompts: tens of megabytes stream through, and neither memory nor the log keeps them.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOW } from "../../budget/builders.ts";
import { anEvent, BEARER, bytes, EndpointsWorld, EVENTS, streamOf } from "./endpoints.ts";

const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;

let world: EndpointsWorld;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  world = new EndpointsWorld();
});
afterEach(() => void vi.useRealTimers());

const PROMPT = 'Write "nothing" of this\\ down.\n'.repeat(1_400);

/** A streamed batch: only one chunk of it exists at a time. */
function* batchOf(events: number): Generator<Uint8Array> {
  for (let index = 0; index < events; index++) {
    const messages = [{ role: "user", content: PROMPT }];
    const event = anEvent({}, { id: `call-${index}`, response_cost: index + 1, messages });
    const body = bytes(`${index === 0 ? "[" : ","}${JSON.stringify(event)}`);
    for (let at = 0; at < body.length; at += CHUNK) yield body.subarray(at, at + CHUNK);
  }
  yield bytes("]");
}

function* spaces(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= CHUNK) yield new Uint8Array(Math.min(CHUNK, left)).fill(0x20);
}

setFlagsFromString("--expose_gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Memory in use after garbage collection. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe("512 events of 40 KiB and more", () => {
  it("turns a large batch into eleven messages with less than half of the body in memory", async () => {
    const held = { most: 0, sent: 0, chunks: 0 };
    const before = heldBytes();
    const watched = (function* () {
      for (const chunk of batchOf(512)) {
        held.sent += chunk.length;
        if (held.chunks++ % 50 === 0) held.most = Math.max(held.most, heldBytes() - before);
        yield chunk;
      }
    })();
    const { status, body } = await world.post(EVENTS, streamOf(watched), BEARER);
    expect([status, body]).toEqual([200, { accepted: 512 }]);
    expect([world.messages.length, world.reported().length]).toEqual([11, 512]);
    expect(world.reported().at(-1)).toMatchObject({ cost: "512" });
    expect(held.sent).toBeGreaterThan(20 * MIB);
    expect(held.most).toBeLessThan(10 * MIB);
  });

  it("leaves no prompt in the log or on the queue, even after errors", async () => {
    const events = [...batchOf(2)].slice(0, -1);
    const { status, body } = await world.post(EVENTS, streamOf([...events, bytes(',{"messages":"nothing"')]), BEARER);
    expect(status).toBe(400);
    expect(JSON.stringify([body, world.log.lines, world.messages])).not.toContain("nothing");
  });
});

describe("32 MiB", () => {
  /** The events, then one more whose prompt pads the body to `size` bytes. */
  function filledTo(size: number, events: readonly unknown[]): Uint8Array[] {
    const [head = "", tail = ""] = JSON.stringify([...events, { messages: "PROMPT" }]).split("PROMPT");
    return [bytes(head), ...spaces(size - head.length - tail.length), bytes(tail)];
  }

  it("accepts a body of exactly 32 MiB", async () => {
    const answer = await world.post(EVENTS, streamOf(filledTo(32 * MIB, [anEvent()])), BEARER);
    expect([answer.status, answer.body]).toEqual([200, { accepted: 1 }]);
  });

  it.each([
    ["without a length", {}],
    ["with a length that lies", { "content-length": "2" }],
  ])("answers 413 to one byte more, %s, and counts the earlier events", async (_, headers) => {
    const chunks = filledTo(32 * MIB + 1, [anEvent()]);
    const answer = await world.post(EVENTS, streamOf(chunks), { ...BEARER, ...headers });
    expect([answer.status, answer.body.type, answer.body.accepted]).toEqual([413, "urn:bursar:problem:too-large", 1]);
    expect(world.messages).toHaveLength(1);
  });
});
