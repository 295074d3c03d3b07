// Reads LiteLLM's keys and teams as candidates for adoption. Changes nothing, and keeps no raw key.

import { createHash } from "node:crypto";
import pMap from "p-map";
import { keyInfo, litellmRowFrom, teamInfo } from "../../src/adapters/litellm/litellm-rows.ts";
import type { Instant } from "../../src/budget/instant.ts";
import type { KeyHash, Subject } from "../../src/budget/tenant.ts";
import { instantOrNull } from "../../src/http/litellm/litellm-fields.ts";
import type { LiteLlmRow } from "../../src/records/litellm-row.ts";
import { type Api, type ApiAnswer, describeAnswer, isRecord } from "./polite-api.ts";

export interface Candidate {
  readonly subject: Subject;
  readonly alias: string | null;
  /** The team of a key, if it has one. */
  readonly teamId: string | null;
  readonly isBlocked: boolean;
  readonly expiresAt: Instant | null;
  /** Null when LiteLLM's row cannot be parsed. */
  readonly reading: LiteLlmRow | null;
}

type RawRow = Readonly<Record<string, unknown>>;

/** LiteLLM's maximum for a page of the list, and for one request of `/v2/key/info`. */
const PAGE_SIZE = 100;

/** Concurrent requests to `/v2/key/info`. Few, because LiteLLM serves calls at the same time. */
const AT_ONCE = 2;

/** @throws Error with a message for the operator. */
export async function listTeams(litellm: Api, now: Instant): Promise<Candidate[]> {
  const answer = ok(await litellm.get("/team/list"), "/team/list");
  if (!Array.isArray(answer)) throw new Error("LiteLLM's /team/list did not return a list");
  return answer.filter(isRecord).map((row) => teamFrom(row, now));
}

/**
 * Returns each key once, although keys that are created meanwhile shift the pages.
 * @throws Error with a message for the operator.
 */
export async function listKeys(litellm: Api, now: Instant): Promise<Candidate[]> {
  const rows = new Map<string, RawRow>();
  for (let page = 1, pages = 1; page <= pages; page++) {
    const path = `/key/list?return_full_object=true&size=${PAGE_SIZE}&page=${page}`;
    const answer = ok(await litellm.get(path), "/key/list");
    const keys = isRecord(answer) ? answer["keys"] : null;
    if (!isRecord(answer) || !Array.isArray(keys)) throw new Error("LiteLLM's /key/list did not return a list of keys");
    for (const row of keys.filter(isRecord)) if (typeof row["token"] === "string") rows.set(row["token"], row);
    pages = keys.length === 0 ? page : Number(answer["total_pages"]) || page;
  }
  const details = await detailsOf([...rows.keys()], litellm);
  return [...rows].map(([token, row]) => keyFrom(token, details.get(token) ?? row, now));
}

/** The details of keys. The list leaves out the budget object that a key is linked to, which may have its limits. */
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

/** The hash under which LiteLLM lists a key. */
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
    reading: parsed.success ? litellmRowFrom(subject, parsed.data.info, { begunAt, answeredAt: begunAt }) : null,
  };
}

function teamFrom(row: RawRow, begunAt: Instant): Candidate {
  const subject: Subject = { kind: "team", id: String(row["team_id"]) };
  const parsed = teamInfo.safeParse({ team_info: row });
  return {
    subject,
    ...commonOf(row, "team_alias"),
    teamId: null,
    reading: parsed.success ? litellmRowFrom(subject, parsed.data.team_info, { begunAt, answeredAt: begunAt }) : null,
  };
}

function commonOf(row: RawRow, aliasField: string) {
  const expires = textOf(row["expires"]);
  return {
    alias: textOf(row[aliasField]),
    isBlocked: row["blocked"] === true,
    expiresAt: expires === null ? null : instantOrNull(expires),
  };
}

function ok(answer: ApiAnswer, path: string): unknown {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw new Error(`LiteLLM's ${path} answers ${describeAnswer(answer)}`);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
