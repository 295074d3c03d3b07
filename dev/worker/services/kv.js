// A KV namespace inside workerd, which the Worker's binding reaches without a network.
// `PUT /_delay` with a number delays every answer by that many milliseconds.

import { createKvHandler } from "./kv-handler.js";

const handle = createKvHandler();
let delayMs = 0;

export default {
  async fetch(request) {
    if (new URL(request.url).pathname === "/_delay") {
      delayMs = Number(await request.text());
      return Response.json({ delayMs });
    }
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    return handle(request);
  },
};
