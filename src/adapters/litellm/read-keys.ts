// Reads many keys of LiteLLM in one request. Since 1.83.14 the rows of `/v2/key/info` do not say which key they are of:
// a row is then matched by what Bursar wrote into it. Never decides that LiteLLM does not know a key: a key without a
// matched row is left out, and the caller asks for it alone.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash } from "../../budget/tenant.ts";
import type { KeyToRead, Log } from "../../ports/ports.ts";
import { type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import { type LiteLlmHttp, unparseable } from "./litellm-http.ts";
import { isDeleted, keyInfoOfMany, keyInfos, litellmRowFrom, type RawRow } from "./litellm-rows.ts";

/** One row of a list may break the whole list, so lists count as one subject. */
const MANY_KEYS = "/v2/key/info";

type RowOfMany = RawRow & { readonly token?: string | null | undefined };

/** The metadata field by which a sync labels a key with its tenant. */
const LABEL = "tenant_id";

export async function readKeysAtOnce(
  keys: readonly KeyToRead[],
  { http, clock, log }: { http: LiteLlmHttp; clock: () => Instant; log: Log },
): Promise<Result<ReadonlyMap<KeyHash, LiteLlmRow>, LiteLlmFailure>> {
  const begunAt = clock();
  const body = { keys: keys.map(({ keyHash }) => keyHash) };
  const answer = await http.call({ subject: MANY_KEYS, method: "POST", path: MANY_KEYS, body });
  const answeredAt = clock();
  if (!answer.ok) return answer;
  const parsed = keyInfos.safeParse(answer.value);
  if (!parsed.success) return unparseable();
  const rows = parsed.data.info.flatMap((raw) => keyInfoOfMany.safeParse(raw).data ?? []);
  const litellmRows = [...matched(keys, rows)].flatMap(([id, row]) => {
    const litellmRow = isDeleted(row) ? null : litellmRowFrom({ kind: "key", id }, row, { begunAt, answeredAt });
    return litellmRow === null ? [] : [[id, litellmRow] as const];
  });
  const negative = litellmRows.filter(([, { wasNegative }]) => wasNegative).length;
  if (negative > 0)
    log.warn("negative spend counted as zero", { source: "litellm", subject_kind: "key", keys: negative });
  const unmatched = parsed.data.info.length - litellmRows.length;
  if (unmatched > 0) log.warn("unmatched key rows from litellm", { rows: unmatched });
  return success(new Map(litellmRows));
}

/** By `token` where LiteLLM sends it, else by label and creation time. A label that two rows have proves nothing. */
function matched(keys: readonly KeyToRead[], rows: readonly RowOfMany[]): Map<KeyHash, RowOfMany> {
  const byToken = new Map(rows.flatMap((row) => (row.token == null ? [] : [[row.token, row] as const])));
  const byLabel = Map.groupBy(
    rows.filter(({ token }) => token == null),
    ({ metadata }) => metadata[LABEL],
  );
  return new Map(
    keys.flatMap(({ keyHash, tenantId, createdAt }) => {
      const [labelled, another] = byLabel.get(tenantId) ?? [];
      const isOnlyOne = labelled !== undefined && another === undefined && labelled.created_at === createdAt;
      const row = byToken.get(keyHash) ?? (isOnlyOne ? labelled : undefined);
      return row === undefined ? [] : [[keyHash, row] as const];
    }),
  );
}
