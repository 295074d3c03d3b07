// A cache in front of two callers must not give one of them the other's answer: any answer may depend on a credential.

import { createMiddleware } from "hono/factory";
import { KEY_HEADERS } from "./agents/key-places.ts";
import type { AppEnv } from "./app-env.ts";

/** `Authorization` is one of them, and covers Bursar's own tokens. A key in the query is part of the URL. */
const CREDENTIALS = KEY_HEADERS.join(", ");

export const varyByCredential = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  c.res.headers.append("Vary", CREDENTIALS);
});
