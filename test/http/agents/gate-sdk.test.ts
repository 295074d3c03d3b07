// OpenAI's own SDK with Gate as its base URL: how often it calls when LiteLLM fails.

import OpenAI, { APIError } from "openai";
import { expect, it } from "vitest";
import { VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aModelAnswer } from "../../support/fakes/fake-model-calls.ts";
import { HttpWorld } from "../../support/worlds/http-world.ts";

const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

/** The error that the SDK shows of a call, with its default settings. */
async function errorOf(world: HttpWorld): Promise<APIError> {
  const client = new OpenAI({
    apiKey: VIRTUAL_KEY,
    baseURL: "http://bursar.test/llm/v1",
    fetch: async (url, init) => world.app.fetch(new Request(url as string, init), {}, execution),
  });
  const shown = await client.chat.completions.create({ model: "mock", messages: [] }).catch((error: unknown) => error);
  if (!(shown instanceof APIError)) throw new Error("the SDK showed no error");
  return shown;
}

it("calls once, and shows that the call may have been charged, when LiteLLM breaks off", async () => {
  const world = new HttpWorld();
  world.models.next = { kind: "unreachable", why: "network", mayHaveArrived: true };
  const { status, message } = await errorOf(world);
  expect([status, message]).toEqual([502, expect.stringContaining("may have been charged")]);
  expect(world.models.calls).toHaveLength(1);
});

it("repeats a failure of LiteLLM's own, which charges nothing", async () => {
  const world = new HttpWorld();
  world.models.next = aModelAnswer({
    status: 529,
    body: null,
    headers: new Headers({ "content-type": "application/json", "retry-after-ms": "1" }),
  });
  expect((await errorOf(world)).status).toBe(529);
  expect(world.models.calls).toHaveLength(3);
});
