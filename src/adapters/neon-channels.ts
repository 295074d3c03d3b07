import type { Channels } from "../ports.ts";
import type { Database } from "./neon-client.ts";

export function neonChannels(_database: Database): Channels {
  return {} as Channels; // not built yet
}
