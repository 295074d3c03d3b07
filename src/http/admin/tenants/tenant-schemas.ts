// The bodies and queries of `/v1/tenants`. Refuses unknown fields: a misspelt threshold must not be ignored.

import * as z from "zod";
import { parseDuration } from "../../../budget/instant.ts";
import { type BasisPoints, basisPointsFromNumber, percentNumber } from "../../../budget/money.ts";
import { ALERT_THRESHOLD_RANGE, GRACE_THRESHOLD_RANGE } from "../../../budget/tenant.ts";
import { STATE_REASONS, STATES, type State, type StateReason, stateOf } from "../../../budget/verdict.ts";
import { isKeptByLiteLlm } from "../../../flows/litellm/litellm-duration.ts";
import { MAX_PAIRS } from "../../../flows/tenants/change-tenant.ts";
import type { TenantChange, TenantList, TenantListQuery, TenantSort } from "../../../records/tenant.ts";
import { keyHashFrom } from "../../../wire/key-hash.ts";
import { refusalSettings } from "../../../wire/refusal-settings.ts";
import { tenantPositionOf } from "../../../wire/tenant-cursor.ts";
import {
  isKeyless,
  lineOfText,
  money,
  NO_CURSOR,
  NO_KEY,
  pageSize,
  readBy,
  reason,
  shortName,
  tenantId,
} from "../../fields.ts";

interface Range {
  readonly min: BasisPoints;
  readonly max: BasisPoints;
}

const notIn = ({ min, max }: Range) => `must be a percentage from ${percentNumber(min)} to ${percentNumber(max)}`;

const threshold = (range: Range) =>
  z
    .number(notIn(range))
    .min(percentNumber(range.min), notIn(range))
    .max(percentNumber(range.max), notIn(range))
    .transform((percent, context) => {
      const share = basisPointsFromNumber(percent);
      if (share !== null && percentNumber(share) === percent) return share;
      context.addIssue("must have at most two decimals");
      return z.NEVER;
    });

const NO_DURATION = "must be a number and s, m, h, d, w or mo, such as 30d; null never resets";

const duration = z
  .string(NO_DURATION)
  .refine((text) => parseDuration(text) !== null, NO_DURATION)
  .refine(
    (text) => parseDuration(text) === null || isKeptByLiteLlm(text),
    "must be 1mo, or days such as 60d: LiteLLM resets a monthly budget every month only",
  );

/** Agents' developers read both in terminals and logs. */
const MAX_REFUSAL_TEXT = 300;

const NO_MESSAGE = `must be a string of 1 to ${MAX_REFUSAL_TEXT} characters`;

/** One line of plain text. Control characters and those that reverse the direction of text could disguise it. */
const refusalMessage = z
  .string(NO_MESSAGE)
  .trim()
  .min(1, NO_MESSAGE)
  .max(MAX_REFUSAL_TEXT, NO_MESSAGE)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u, "must not hold control characters or line breaks")
  .refine(isKeyless, NO_KEY);

const contactUrl = readBy(contactUrlFrom, `must be an https URL of at most ${MAX_REFUSAL_TEXT} characters`).refine(
  isKeyless,
  NO_KEY,
);

/** Null when it is none, or carries a password. */
function contactUrlFrom(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { href, protocol, username, password } = new URL(text);
  return protocol === "https:" && username === "" && password === "" && href.length <= MAX_REFUSAL_TEXT ? href : null;
}

const refusal = z
  .strictObject({
    message: refusalMessage.nullable().default(null),
    contact_url: contactUrl.nullable().default(null),
    amounts: z.boolean("must be true or false").default(true),
  })
  .pipe(refusalSettings);

export const TOO_MANY_PAIRS = `must have at most ${MAX_PAIRS} pairs`;
const NO_PAIRS = 'must be an object of strings, such as {"plan": "gold"}; null removes a pair';

/** The caller's own. Postgres stores neither NUL nor lone surrogates. */
const metadata = z
  .record(z.string(), lineOfText(500).nullable(), NO_PAIRS)
  .refine((pairs) => Object.values(pairs).filter((text) => text !== null).length <= MAX_PAIRS, TOO_MANY_PAIRS)
  .refine((pairs) => Object.keys(pairs).every((key) => lineOfText(40).safeParse(key).data === key), {
    message: "must have keys of 1 to 40 characters, without a virtual key, line breaks or spaces at the ends",
  });

const settings = {
  name: shortName.nullable(),
  max_budget: money,
  alert_threshold: threshold(ALERT_THRESHOLD_RANGE),
  grace_threshold: threshold(GRACE_THRESHOLD_RANGE),
  budget_duration: duration.nullable(),
  enforcement: z.enum(["enforce", "observe"], "must be enforce or observe"),
  fail_policy: z.enum(["open", "closed"], "must be open, closed or null").nullable(),
  refusal: refusal.nullable(),
  metadata,
};

const NO_LITELLM_KEY = "must be a virtual key (sk-…) or its sha256 hash";

/** The raw key, or its sha256, which LiteLLM calls the token. Only the hash goes further. */
const litellmKey = z
  .string(NO_LITELLM_KEY)
  .max(500, NO_LITELLM_KEY)
  .regex(/^(?:(?:Bearer +)?sk-[\x21-\x7e]+|[0-9a-fA-F]{64})$/, NO_LITELLM_KEY)
  .transform(async (named) => (await keyHashFrom(named)) ?? z.NEVER);

const ONE_SUBJECT = "must not be sent together with litellm_key";

/** The body of PATCH: every setting is optional. */
export const tenantChangeBody = z.strictObject({ ...settings, reason }).partial();

export const newTenantBody = z
  .strictObject({
    ...tenantChangeBody.shape,
    tenant_id: tenantId.refine(isKeyless, NO_KEY),
    litellm_key: litellmKey.optional(),
    litellm_team_id: z.string().min(1).max(200).refine(isKeyless, NO_KEY).optional(),
  })
  .refine((body) => body.litellm_key === undefined || body.litellm_team_id === undefined, {
    message: ONE_SUBJECT,
    path: ["litellm_team_id"],
    // Runs also when other fields are invalid, so that one answer names every error.
    when: ({ value }) => typeof value === "object" && value !== null,
  });

const SORTS = ["tenant_id", "-used_percent"] as const satisfies readonly TenantSort[];

/** The filters of the list as a query of the port. A state is the reasons that lead to it. */
export const tenantListQuery = z
  .strictObject({
    state: z.enum([...STATES, "deleted"]).optional(),
    reason: z.enum([...STATE_REASONS, "deleted"]).optional(),
    q: lineOfText(200).optional(),
    sort: z.enum(SORTS).default("tenant_id"),
    cursor: z.string(NO_CURSOR).optional(),
    limit: pageSize,
  })
  .transform(({ state, reason, q: search = null, sort, cursor, limit }, context): TenantListQuery => {
    const after = cursor === undefined ? null : tenantPositionOf(sort, cursor);
    if (cursor !== undefined && after === null) {
      context.addIssue({ code: "custom", path: ["cursor"], message: `${NO_CURSOR}, with the same sort` });
    }
    const isAsked = (each: StateReason | "deleted") =>
      (state === undefined || (each === "deleted" ? each : stateOf(each)) === state) &&
      (reason === undefined || each === reason);
    const areDeleted = (state === "deleted" || reason === "deleted") && isAsked("deleted");
    const reasons = areDeleted ? "deleted" : STATE_REASONS.filter(isAsked);
    return { reasons, search, sort, after, limit };
  });

/** The counts of the list: of every tenant, whatever the filters. */
export function countsJson(counts: TenantList["counts"]): Record<State, number> {
  const sums: Record<State, number> = { ok: 0, warning: 0, grace: 0, blocked: 0, unknown: 0 };
  for (const [reason, count] of counts) sums[stateOf(reason)] += count;
  return sums;
}

/** The settings that the body contains. */
export function changeFrom(body: z.output<typeof tenantChangeBody>): TenantChange {
  return {
    ...(body.name !== undefined && { name: body.name }),
    ...(body.max_budget !== undefined && { maxBudgetNanoUsd: body.max_budget }),
    ...(body.alert_threshold !== undefined && { alertThreshold: body.alert_threshold }),
    ...(body.grace_threshold !== undefined && { graceThreshold: body.grace_threshold }),
    ...(body.budget_duration !== undefined && { budgetDuration: body.budget_duration }),
    ...(body.enforcement !== undefined && { enforcement: body.enforcement }),
    ...(body.fail_policy !== undefined && { failPolicy: body.fail_policy }),
    ...(body.refusal !== undefined && { refusal: body.refusal }),
    ...(body.metadata !== undefined && { metadata: body.metadata }),
  };
}
