// Gate inside workerd with LiteLLM's simulator: the scheduled read after a stream ends or its reader disconnects.

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SpendMessage } from "../../src/ports/messages.ts";
import worker from "../../src/worker.ts";
import { bindingsWith, recordConsole, tenantWithKey } from "./bursar.ts";

beforeEach(() => void recordConsole());
afterEach(() => void vi.unstubAllGlobals());

/** Makes a streaming call; `read` consumes or abandons it. */
async function stream(key: string, read: (body: ReadableStream<Uint8Array>) => Promise<unknown>) {
  const sent: { message: SpendMessage; delaySeconds: number | undefined }[] = [];
  const SPEND_QUEUE = {
    send: async (message: SpendMessage, { delaySeconds }: QueueSendOptions) =>
      void sent.push({ message, delaySeconds }),
  };
  const execution = createExecutionContext();
  const request = new Request("http://bursar.test/llm/v1/chat/completions", {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "x-sim-cost": "2.5" },
    body: JSON.stringify({ model: "mock", messages: [], stream: true }),
  });
  const response = await worker.fetch(request, bindingsWith({ SPEND_QUEUE, CHECK_DEADLINE_MS: "9999" }), execution);
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const sentEarly = sent.filter(({ message }) => message.kind === "read_due").length;
  if (response.body !== null) await read(response.body);
  await waitOnExecutionContext(execution);
  return { sentEarly, reads: sent.filter(({ message }) => message.kind === "read_due") };
}

it.each<[string, (body: ReadableStream<Uint8Array>) => Promise<unknown>]>([
  ["that was read to its end", (body) => new Response(body).text()],
  ["that its reader has left", (body) => body.cancel()],
])("schedules one read 30 s after a stream %s", async (_, read) => {
  const { tenantId, key, hash } = await tenantWithKey();
  const { sentEarly, reads } = await stream(key, read);
  expect(sentEarly).toBe(0);
  expect(reads).toEqual([
    {
      // `lane` is the reason as the previous release spells it.
      message: {
        v: 1,
        kind: "read_due",
        tenant_id: tenantId,
        subject_id: hash,
        reason: "recheck-20s",
        lane: "hint-1",
      },
      delaySeconds: 30,
    },
  ]);
});
