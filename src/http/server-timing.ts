// `now` for the whole request, and `Server-Timing` with the time the edge took. The Workers clock moves only on I/O.

import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./app-env.ts";

export const serverTiming = createMiddleware<AppEnv>(async (c, next) => {
  const begunAt = Date.now();
  c.set("now", begunAt);
  await next();
  c.header("Server-Timing", `total;dur=${Date.now() - begunAt}`, { append: true });
});
