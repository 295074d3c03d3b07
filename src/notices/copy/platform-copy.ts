// The copy and fields of notices to operators. The copy contains no text from outside; the fields may.

import type { PlatformAlertRecord } from "../../records/platform-alert.ts";
import { dateOf, textOf } from "../detail.ts";
import type { Field } from "../fields.ts";
import { instantText } from "../format.ts";
import type { Copy } from "./copy.ts";

export function platformCopy({ kind }: PlatformAlertRecord): Copy {
  return { tone: "platform", tag: "Platform", ...COPY[kind] };
}

const COPY: Readonly<Record<PlatformAlertRecord["kind"], Pick<Copy, "predicate" | "summary" | "advice">>> = {
  dead_letter: {
    predicate: "A queue message failed every attempt",
    summary:
      "Bursar keeps it as a dead letter. Until you replay it, its spend is not counted or its notice is not sent.",
    advice: "Read GET /v1/dead-letters, fix the cause that the error names, and replay the message.",
  },
  sync_pending: {
    predicate: "A tenant's budget is not synced to LiteLLM",
    summary:
      "Bursar enforces the configured budget. LiteLLM has other limits, or does not know the tenant's key or team.",
    advice:
      "Read the tenant's litellm_sync_error for LiteLLM's answer and fix its cause. Bursar retries automatically.",
  },
  subject_missing: {
    predicate: "LiteLLM does not have a tenant's key or team",
    summary:
      "Bursar cannot measure the tenant's spend. An open fail policy allows its calls until FAIL_OPEN_MINUTES have passed.",
    advice: "Restore the key or team in LiteLLM, or delete the tenant. GET /v1/tenants/{id} shows subject_missing_at.",
  },
  tenants_unread: {
    predicate: "Some tenants' spend has not been read for an hour",
    summary:
      "Bursar reads other tenants, but each read of these fails. Their verdicts use the last known spend and LiteLLM's reports.",
    advice:
      "Search the log for their tenant ids: a read failed, or a row cannot be read. GET /v1/tenants/{id} shows unread_since.",
  },
  litellm_silent: {
    predicate: "Bursar has read no tenant's spend in the last two hours",
    summary:
      "Bursar should read every tenant once an hour. Until it does, verdicts and alerts use LiteLLM's reports alone.",
    advice: "Search the log for failed reads, and check that the spend queue has a consumer.",
  },
  litellm_unreadable: {
    predicate: "Bursar cannot parse LiteLLM's answers",
    summary:
      "LiteLLM answered a batch of reads, and none of the answers was usable. Spend that only a read can show is missing.",
    advice: "Check what changed in LiteLLM, such as its version. The log has the event litellm read failed.",
  },
  mark_copied: {
    predicate: "A key in LiteLLM has the mark of another key's tenant",
    summary: "The tenant's own key is still in LiteLLM, so Bursar does not count the other key toward the tenant.",
    advice: "Delete the other key in LiteLLM, or make the tenant's second key with POST /v1/tenants/{id}/keys.",
  },
  litellm_out: {
    predicate: "LiteLLM is unreachable",
    summary: "Checks use the last known spend. Tenants without one follow their fail policy.",
    advice: "Restore LiteLLM, or fix LITELLM_URL and LITELLM_MASTER_KEY. GET /readyz shows each dependency.",
  },
};

/** The label of the tenant that has waited longest, of several. */
const OLDEST: Partial<Record<PlatformAlertRecord["kind"], string>> = {
  sync_pending: "Oldest pending tenant",
  subject_missing: "Missing longest",
};

export function platformFields({ kind, detail, begunAt }: PlatformAlertRecord): Field[] {
  const count = (label: string, field: string) => {
    const value = detail[field];
    return typeof value === "number" ? [{ label, value: String(value) }] : [];
  };
  const text = (label: string, field: string) => {
    const value = textOf(detail, field);
    return value === null ? [] : [{ label, value }];
  };
  const date = (label: string, field: string) => {
    const value = dateOf(detail, field);
    return value === null ? [] : [{ label, value: instantText(value) }];
  };
  return [
    ...count("Dead letters", "dead_letters"),
    ...text("Queue", "queue"),
    ...count("Tenants", "tenants"),
    ...text(OLDEST[kind] ?? "Tenant", "tenant_id"),
    ...text("Unread longest first", "tenant_ids"),
    ...text("Key", "key_hash"),
    ...text("Error", "error"),
    ...date("Since", "since"),
    ...date("Last read", "last_read_at"),
    ...date("Fail-open ends", "open_until"),
    { label: "First seen", value: instantText(begunAt) },
  ];
}
