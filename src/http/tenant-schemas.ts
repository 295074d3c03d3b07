// What an administrator may send about a tenant. Unknown fields are refused: a misspelt threshold must not pass in silence.

import * as z from "zod";
import { parseDuration } from "../budget/duration.ts";
import {
  type BasisPoints,
  basisPointsFromNumber,
  nanoUsdFromNumber,
  percentNumber,
  usdNumber,
} from "../budget/money.ts";
import { ALERT_THRESHOLD_RANGE, GRACE_THRESHOLD_RANGE, type TenantId } from "../budget/tenant.ts";
import { isKeptByLiteLlm } from "../flows/litellm-duration.ts";
import type { TenantChange } from "../tenant-record.ts";
import type { FieldError } from "./problem.ts";
import { TENANT_ID } from "./tenant-id.ts";

const MAX_BUDGET_USD = 1e9;
const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

/** Refused rather than rounded: 1e-10 would become a budget of zero. */
const money = z
  .number()
  .min(0)
  .max(MAX_BUDGET_USD)
  .transform((usd, context) => {
    const amount = nanoUsdFromNumber(usd);
    if (amount !== null && usdNumber(amount) === usd) return amount;
    context.addIssue({ code: "custom", message: "at most nine decimals" });
    return z.NEVER;
  });

const threshold = (range: { min: BasisPoints; max: BasisPoints }) =>
  z
    .number()
    .min(percentNumber(range.min))
    .max(percentNumber(range.max))
    .transform((percent, context) => {
      const share = basisPointsFromNumber(percent);
      if (share !== null && percentNumber(share) === percent) return share;
      context.addIssue({ code: "custom", message: "at most two decimals" });
      return z.NEVER;
    });

const duration = z
  .string()
  .refine((text) => parseDuration(text) !== null, "must be <n> and s, m, h, d, w or mo, such as 30d; null never resets")
  .refine(
    (text) => parseDuration(text) === null || isKeptByLiteLlm(text),
    "LiteLLM resets monthly budgets every month only: use 1mo, or days, such as 60d",
  );

const name = z.string().trim().min(1).max(200);

const figures = {
  name: name.nullable(),
  max_budget: money,
  alert_threshold: threshold(ALERT_THRESHOLD_RANGE),
  grace_threshold: threshold(GRACE_THRESHOLD_RANGE),
  budget_duration: duration.nullable(),
  enforcement: z.enum(["enforce", "observe"]),
  fail_policy: z.enum(["open", "closed"]).nullable(),
};

const tenantId = z
  .string()
  .regex(TENANT_ID, "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit")
  .transform((id) => id as TenantId);

/** Raw, or the sha256 of it that LiteLLM calls the token. */
const litellmKey = z
  .string()
  .max(500)
  .regex(/^(?:sk-[\x21-\x7e]+|[0-9a-fA-F]{64})$/, "must be a virtual key (sk-…) or the sha256 hash of one");

const ONE_SUBJECT = "litellm_key and litellm_team_id exclude each other";

export const newTenantBody = z
  .strictObject({
    ...z.strictObject(figures).partial().shape,
    tenant_id: tenantId,
    litellm_key: litellmKey.optional(),
    litellm_team_id: z.string().min(1).max(200).optional(),
  })
  .refine((body) => body.litellm_key === undefined || body.litellm_team_id === undefined, {
    message: ONE_SUBJECT,
    path: ["litellm_team_id"],
    // Also when other fields are wrong: all that is wrong is named at once.
    when: ({ value }) => typeof value === "object" && value !== null,
  });

export const tenantChangeBody = z.strictObject(figures).partial();

export const tenantListQuery = z.object({
  state: z.enum(["ok", "warning", "grace", "blocked", "unknown"]).optional(),
  cursor: tenantId.optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${MAX_PAGE}`)
    .transform(Number)
    .pipe(z.number().min(1).max(MAX_PAGE))
    .default(DEFAULT_PAGE),
});

/** The figures that the body names, and no others. */
export function changeFrom(body: z.output<typeof tenantChangeBody>): TenantChange {
  return {
    ...(body.name !== undefined && { name: body.name }),
    ...(body.max_budget !== undefined && { maxBudgetNanoUsd: body.max_budget }),
    ...(body.alert_threshold !== undefined && { alertThreshold: body.alert_threshold }),
    ...(body.grace_threshold !== undefined && { graceThreshold: body.grace_threshold }),
    ...(body.budget_duration !== undefined && { budgetDuration: body.budget_duration }),
    ...(body.enforcement !== undefined && { enforcement: body.enforcement }),
    ...(body.fail_policy !== undefined && { failPolicy: body.fail_policy }),
  };
}

/** One line per field that is wrong, unknown ones included. */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((field) => ({ field, message: "unknown field" }));
    return [{ field: issue.path.join("."), message: issue.message }];
  });
}
