// `If-Match` and `ETag`: a tag names the version of a resource's settings. The statement that locks the row compares.

import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../app-env.ts";
import { invalidFields } from "../problem.ts";

/** RFC 9110: `*`, or a list of quoted tags. */
const TAG = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
const TAGS = new RegExp(String.raw`^[ \t]*${TAG}(?:[ \t]*,[ \t]*${TAG})*[ \t]*$`);

/**
 * RFC 9110 compares strongly: a weak tag (`W/"3"`) matches nothing, like one that Bursar never made. Answers carry
 * `no-transform`, because Cloudflare weakens the tag of an answer that it compresses.
 */
const VERSION = /(W\/)?"(?:(\d{1,9})|[^"]*)"/g;

const NO_TAG = 'must be * or the ETag of an answer, in its quotes, such as "3"';

/** Behind `requireAdmin`, on routes whose flow hands the actor to Postgres. */
export const ifMatch = createMiddleware<AppEnv>(async (c, next) => {
  const header = c.req.header("If-Match");
  if (header === undefined || header.trim() === "*") return next();
  if (!TAGS.test(header)) return invalidFields(c, [{ field: "If-Match", message: NO_TAG }]);
  const ifVersion = [...header.matchAll(VERSION)].flatMap(([, weak, version]) =>
    weak !== undefined || version === undefined ? [] : [Number(version)],
  );
  const actor = c.get("actor");
  c.set("actor", { ...actor, operation: { ...actor.operation, ifVersion } });
  return next();
});

export function etagOf(version: number): string {
  return `"${version}"`;
}
