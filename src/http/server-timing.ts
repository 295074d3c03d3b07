// Sets `now` for the whole request, and `Server-Timing` with the time spent here. The Workers clock moves only on I/O.

import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./app-env.ts";

export const serverTiming = createMiddleware<AppEnv>(async (c, next) => {
  const startedAt = Date.now();
  c.set("now", startedAt);
  await next();
  c.header("Server-Timing", `total;dur=${Date.now() - startedAt}`, { append: true });
});
