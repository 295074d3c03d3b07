// Changing a channel that another administrator removes meanwhile.

import { expect, it } from "vitest";
import { changeChannel } from "../../../src/flows/channels/change-channel.ts";
import type { Channels } from "../../../src/ports/notice-stores.ts";
import { anActor } from "../../support/builders/builders.ts";
import { aChannel } from "../../support/builders/notice-builders.ts";
import { RecordedLog } from "../../support/fakes/recorded-log.ts";
import { unusedPort } from "../../support/faults/unused-port.ts";

it("does not recreate a channel that is removed between its load and its change", async () => {
  const channel = aChannel();
  const channels: Channels = {
    ...({} as Channels),
    load: async () => channel,
    change: async () => null,
  };
  const deps = { channels, cipher: unusedPort<never>("cipher"), log: new RecordedLog() };
  const input = { channelId: channel.id, change: { name: "new" }, target: {}, actor: anActor() };
  expect(await changeChannel(input, deps)).toEqual({ ok: false, failure: { kind: "channel_not_found" } });
});
