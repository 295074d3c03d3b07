// LiteLLM's keys and teams as they can be adopted, read from its own lists. Changes nothing, and keeps no raw key.

import { createHash } from "node:crypto";
import pMap from "p-map";
import { keyInfo, litellmRowFrom, teamInfo } from "../../src/adapters/litellm/litellm-rows.ts";
import type { Instant } from "../../src/budget/instant.ts";
import type { KeyHash, Subject } from "../../src/budget/tenant.ts";
import { instantFrom } from "../../src/http/litellm/litellm-fields.ts";
import type { LiteLlmRow } from "../../src/records/litellm-row.ts";
import { type Api, type ApiAnswer, isRecord, wordsOf } from "./polite-api.ts";

export interface Candidate {
  readonly subject: Subject;
  readonly alias: string | null;
  /** Of a key that is in a team. */
  readonly teamId: string | null;
  readonly isBlocked: boolean;
  readonly expiresAt: Instant | null;
  /** Null when LiteLLM's row makes no sense. */
  readonly reading: LiteLlmRow | null;
}

type RawRow = Readonly<Record<string, unknown>>;

/** LiteLLM's most, and what one request of details takes as well. */
const PAGE_SIZE = 100;

/** Requests of details at a time: LiteLLM goes on serving calls meanwhile. */
const AT_ONCE = 2;

/** @throws Error in words. */
export async function listTeams(litellm: Api, now: Instant): Promise<Candidate[]> {
  const answer = ok(await litellm.get("/team/list"), "/team/list");
  if (!Array.isArray(answer)) throw new Error("LiteLLM's /team/list is no list");
  return answer.filter(isRecord).map((row) => teamFrom(row, now));
}

/** Each once, although keys that are made meanwhile move the pages. @throws Error in words. */
export async function listKeys(litellm: Api, now: Instant): Promise<Candidate[]> {
  const rows = new Map<string, RawRow>();
  for (let page = 1, pages = 1; page <= pages; page++) {
    const path = `/key/list?return_full_object=true&size=${PAGE_SIZE}&page=${page}`;
    const answer = ok(await litellm.get(path), "/key/list");
    const keys = isRecord(answer) ? answer["keys"] : null;
    if (!isRecord(answer) || !Array.isArray(keys)) throw new Error("LiteLLM's /key/list has no keys");
    for (const row of keys.filter(isRecord)) if (typeof row["token"] === "string") rows.set(row["token"], row);
    pages = keys.length === 0 ? page : Number(answer["total_pages"]) || page;
  }
  const details = await detailsOf([...rows.keys()], litellm);
  return [...rows].map(([token, row]) => keyFrom(token, details.get(token) ?? row, now));
}

/** The list does not tell the budget object that a key is linked to, in which its limits may be. */
async function detailsOf(tokens: readonly string[], litellm: Api): Promise<ReadonlyMap<string, RawRow>> {
  const pages = Array.from({ length: Math.ceil(tokens.length / PAGE_SIZE) }, (_, page) =>
    tokens.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE),
  );
  const answers = await pMap(
    pages,
    async (keys) => {
      const answer = ok(await litellm.post("/v2/key/info", { keys }), "/v2/key/info");
      return isRecord(answer) && Array.isArray(answer["info"]) ? answer["info"].filter(isRecord) : [];
    },
    { concurrency: AT_ONCE },
  );
  return new Map(answers.flat().map((row) => [String(row["token"]), row]));
}

/** The hash by which a list would name the master key. */
export function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

function keyFrom(token: string, row: RawRow, begunAt: Instant): Candidate {
  const subject: Subject = { kind: "key", id: token as KeyHash };
  const parsed = keyInfo.safeParse({ info: row });
  return {
    subject,
    ...commonOf(row, "key_alias"),
    teamId: textOf(row["team_id"]),
    reading: parsed.success ? litellmRowFrom(subject, parsed.data.info, begunAt) : null,
  };
}

function teamFrom(row: RawRow, begunAt: Instant): Candidate {
  const subject: Subject = { kind: "team", id: String(row["team_id"]) };
  const parsed = teamInfo.safeParse({ team_info: row });
  return {
    subject,
    ...commonOf(row, "team_alias"),
    teamId: null,
    reading: parsed.success ? litellmRowFrom(subject, parsed.data.team_info, begunAt) : null,
  };
}

function commonOf(row: RawRow, aliasField: string) {
  const expires = textOf(row["expires"]);
  return {
    alias: textOf(row[aliasField]),
    isBlocked: row["blocked"] === true,
    expiresAt: expires === null ? null : instantFrom(expires),
  };
}

function ok(answer: ApiAnswer, path: string): unknown {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw new Error(`LiteLLM's ${path} answers ${wordsOf(answer)}`);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
