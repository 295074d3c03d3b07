// One Bursar per test file, with LiteLLM's simulator and three platform channels that post to the local inbox.

import { afterAll, beforeAll } from "vitest";
import { openInboxChannels } from "../../../dev/connect.ts";
import type { Litellm } from "../../../dev/litellm/start.ts";
import { apiOf } from "./api.ts";
import { type Bursar, startBursar } from "./bursar.ts";

interface BursarWithInbox {
  readonly bursar: Bursar;
  readonly api: ReturnType<typeof apiOf>;
  readonly litellm: Litellm;
}

/** Starts Bursar before the tests of the file and stops it after them. Read the returned parts only inside tests. */
export function useBursarWithInbox(): BursarWithInbox {
  let started: BursarWithInbox | null = null;
  const there = () => {
    if (started === null) throw new Error("it starts before the tests");
    return started;
  };
  beforeAll(async () => {
    const bursar = await startBursar();
    const { litellm, inbox } = bursar.stack;
    if (litellm === null) throw new Error("what LiteLLM has spent is the simulator's to say");
    started = { bursar, api: apiOf(bursar.url), litellm };
    await openInboxChannels(bursar.url, inbox);
  });
  afterAll(() => started?.bursar.stop());
  return {
    get bursar() {
      return there().bursar;
    },
    get api() {
      return there().api;
    },
    get litellm() {
      return there().litellm;
    },
  };
}
