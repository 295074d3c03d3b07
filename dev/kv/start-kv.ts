// A KV namespace outside the Worker's process, so that a test can stop it, slow it down or make it answer 500.
// Keeps everything in memory. Entries survive `stop` and `restart`.

import { type Part, startPart } from "../part.ts";
import { createKvHandler } from "./kv-handler.js";

/** @throws PortTakenError naming KV_PORT. */
export function startKv(port = 0): Promise<Part> {
  return startPart({ name: "KV", port, portVariable: "KV_PORT", handler: createKvHandler() });
}
