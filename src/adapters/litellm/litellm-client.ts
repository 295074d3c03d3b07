// LiteLLM's management API. Retries only reads: after a change with an unknown outcome, the sync reads and compares.

import pRetry from "p-retry";
import type { Instant } from "../../budget/instant.ts";
import { FIRST_LITELLM_RETRY_MS } from "../../budget/schedules/backoff.ts";
import type { Subject } from "../../budget/tenant.ts";
import type { LiteLlm, Log } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import { type LiteLlmHttp, unparseable } from "./litellm-http.ts";
import { isDeleted, keyInfo, litellmRowFrom, requestFields, subjectField, teamInfo } from "./litellm-rows.ts";
import { readKeysAtOnce } from "./read-keys.ts";

export function liteLlmClient(http: LiteLlmHttp, clock: () => Instant, log: Log): LiteLlm {
  const readOnce = async (subject: Subject): Promise<Result<LiteLlmRow, LiteLlmFailure>> => {
    const begunAt = clock();
    const answer = await http.call({
      subject: subject.id,
      method: "GET",
      ...(subject.kind === "key"
        ? { path: "/key/info", query: { key: subject.id } }
        : { path: "/team/info", query: { team_id: subject.id } }),
    });
    return answer.ok ? toLiteLlmRow(subject, answer.value, { begunAt, answeredAt: clock() }, log) : answer;
  };
  const change = async (subject: string, path: string, body: unknown): Promise<Result<void, LiteLlmFailure>> => {
    const answer = await http.call({ subject, method: "POST", path, body });
    return answer.ok ? success(undefined) : answer;
  };

  return {
    readSubject: (subject, options) => retried(() => readOnce(subject), options),

    readKeys: (keys) => readKeysAtOnce(keys, { http, clock, log }),

    async createKey(key, fields) {
      const { keyAlias, ...rest } = fields;
      const created = await http.call({
        subject: keyAlias,
        method: "POST",
        path: "/key/generate",
        body: { key, key_alias: keyAlias, ...requestFields(rest) },
      });
      if (!created.ok) return created;
      const hash = (created.value as { token?: unknown }).token;
      if (typeof hash !== "string") return unparseable();
      // The answer lacks budget_reset_at and the stored values of the fields.
      return readOnce({ kind: "key", id: hash } as Subject);
    },

    async updateSubject(subject, fields) {
      const path = subject.kind === "key" ? "/key/update" : "/team/update";
      const changed = await change(subject.id, path, { ...subjectField(subject), ...requestFields(fields) });
      return isUnknownKey(changed) ? failure({ kind: "not_found" }) : changed;
    },

    updateSoftBudget: (budgetId, softBudgetNanoUsd) =>
      change(budgetId, "/budget/update", { budget_id: budgetId, ...requestFields({ softBudgetNanoUsd }) }),

    deleteKey: (keyHash) => change(keyHash, "/key/delete", { keys: [keyHash] }),

    async resetSpend(keyHash) {
      const reset = await change(keyHash, `/key/${keyHash}/reset_spend`, { reset_to: 0 });
      if (reset.ok || !isNotForThisVersion(reset.failure)) return reset;
      const changed = await change(keyHash, "/key/update", { key: keyHash, spend: 0 });
      return isUnknownKey(changed) ? failure({ kind: "not_found" }) : changed;
    },

    ping: () => http.probe(),
  };
}

function toLiteLlmRow(
  subject: Subject,
  body: unknown,
  times: Pick<LiteLlmRow, "begunAt" | "answeredAt">,
  log: Log,
): Result<LiteLlmRow, LiteLlmFailure> {
  const parsed = subject.kind === "key" ? keyInfo.safeParse(body) : teamInfo.safeParse(body);
  if (!parsed.success) return unparseable();
  const row = "info" in parsed.data ? parsed.data.info : parsed.data.team_info;
  if (isDeleted(row)) return failure({ kind: "not_found" });
  const litellmRow = litellmRowFrom(subject, row, times);
  if (litellmRow === null) return unparseable();
  if (litellmRow.wasNegative)
    log.warn("negative spend counted as zero", { source: "litellm", subject_kind: subject.kind });
  return success(litellmRow);
}

/**
 * Until 1.81.9 `/key/update` answers 401 for an unknown key, later 404. If the master key were wrong, the read before
 * would fail too.
 */
function isUnknownKey(result: Result<void, LiteLlmFailure>): boolean {
  return (
    !result.ok && result.failure.kind === "refused" && result.failure.status === 401 && result.failure.param === "None"
  );
}

/** 1.80 has no such route, and no version resets a key whose spend is negative after refunds. */
function isNotForThisVersion(failed: LiteLlmFailure): boolean {
  return failed.kind === "unreachable"
    ? failed.lacksRoute === true
    : failed.kind === "refused" && failed.status === 400;
}

/** Carries a failure through p-retry, which retries only on errors. */
class FailedTry extends Error {
  readonly failed: LiteLlmFailure;
  constructor(failed: LiteLlmFailure) {
    super(failed.kind);
    this.failed = failed;
  }
}

async function retried(
  attempt: () => Promise<Result<LiteLlmRow, LiteLlmFailure>>,
  options: { tries: number; onFailedTry?: (failure: LiteLlmFailure) => void },
): Promise<Result<LiteLlmRow, LiteLlmFailure>> {
  try {
    const run = async () => {
      const result = await attempt();
      if (result.ok) return result;
      throw new FailedTry(result.failure);
    };
    return await pRetry(run, {
      retries: options.tries - 1,
      minTimeout: FIRST_LITELLM_RETRY_MS,
      randomize: true,
      onFailedAttempt: ({ error }) => {
        if (error instanceof FailedTry) options.onFailedTry?.(error.failed);
      },
      shouldRetry: ({ error }) => error instanceof FailedTry && error.failed.kind === "unreachable",
    });
  } catch (error) {
    if (error instanceof FailedTry) return failure(error.failed);
    throw error;
  }
}
