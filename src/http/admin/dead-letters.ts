// `/v1/dead-letters`: lists the messages that no consumer could handle, and replays them. Translates only.

import { type Context, Hono } from "hono";
import * as z from "zod";
import { iso } from "../../budget/instant.ts";
import { replayDeadLetter } from "../../flows/notices/replay-dead-letter.ts";
import type { DeadLetterRecord } from "../../records/dead-letter.ts";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin, requireRead } from "../auth.ts";
import { pageCursor, pageSize, reasonBody, timeRange } from "../fields.ts";
import { problem } from "../problem.ts";
import { readBody, readQuery } from "../request/read-request.ts";
import { onceAsAnswered } from "./idempotency.ts";

export const deadLetterListQuery = z.strictObject({
  ...timeRange,
  cursor: pageCursor.optional(),
  limit: pageSize,
});

export const deadLetterRoutes = new Hono<AppEnv>()
  .get("/v1/dead-letters", requireRead, async (c) => {
    const query = readQuery(c, deadLetterListQuery);
    if (!query.ok) return query.failure;
    const { cursor = null, since = null, until = null, limit } = query.value;
    const page = await c.get("ports").deadLetters.list({ since, until, before: cursor, limit });
    return c.json({ data: page.rows.map(letterJson), next_cursor: page.next });
  })
  .post("/v1/dead-letters/:id/replay", requireAdmin, async (c) => {
    const body = await readBody(c, reasonBody);
    if (!body.ok) return body.failure;
    const id = c.req.param("id");
    return onceAsAnswered(c, { route: `POST /v1/dead-letters/${id}/replay`, json: body.value.json }, async () => {
      const replayed = await replayDeadLetter({ id, actor: c.get("actor") }, c.get("ports"));
      return replayed.ok ? c.json(letterJson(replayed.value)) : replayProblem(c, replayed.failure);
    });
  });

function replayProblem(c: Context<AppEnv>, reason: "not_found" | "unknown_queue"): Response {
  switch (reason) {
    case "not_found":
      return problem(c, "not-found", { detail: "There is no such dead letter." });
    case "unknown_queue":
      return problem(c, "unknown-queue", {
        detail: "The letter came from a queue that this deployment does not have.",
      });
  }
}

function letterJson(letter: DeadLetterRecord) {
  return {
    id: letter.id,
    queue: letter.queue,
    message_id: letter.messageId,
    body: letter.body,
    attempts: letter.attempts,
    error: letter.error,
    recorded_at: iso(letter.recordedAt),
    replayed_at: iso(letter.replayedAt),
    replayed_by: letter.replayedBy,
  };
}
