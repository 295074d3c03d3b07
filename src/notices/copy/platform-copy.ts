// The words and figures of what people of the platform are told. Own words; what came from outside is among the facts.

import type { PlatformAlertRecord } from "../../records/alert-record.ts";
import { dateOf, textOf } from "../detail.ts";
import type { Field } from "../fields.ts";
import { instantText } from "../format.ts";
import type { Copy } from "./copy.ts";

export function platformCopy({ kind }: PlatformAlertRecord): Copy {
  return { tone: "platform", tag: "Platform", ...WORDS[kind] };
}

const WORDS: Readonly<Record<PlatformAlertRecord["kind"], Pick<Copy, "predicate" | "summary" | "advice">>> = {
  dead_letter: {
    predicate: "A message could not be handled",
    summary: "It is kept as a dead letter. Until it is replayed, what it says is not counted, or not told to anybody.",
    advice: "Read GET /v1/dead-letters, mend what its error names, and replay it.",
  },
  sync_pending: {
    predicate: "LiteLLM does not take a tenant's budget",
    summary:
      "Bursar enforces the budget as it should be. LiteLLM itself has other limits, or does not know the tenant.",
    advice: "Read litellm_sync_error of the tenant: it says what LiteLLM answered. Bursar goes on trying by itself.",
  },
  litellm_silent: {
    predicate: "No tenant's spend could be read",
    summary: "Every tenant is read once an hour, and none has been. Verdicts and alerts rest on what LiteLLM reports.",
    advice: "Look at the log for reads that fail, and whether the spend queue has its consumer.",
  },
  litellm_out: {
    predicate: "LiteLLM cannot be reached",
    summary: "Tenants are judged by what is known of them. Of whom nothing is known, the fail policy decides.",
    advice: "Bring LiteLLM back, or its address and master key in order. GET /readyz shows what Bursar sees.",
  },
};

export function platformFields({ detail, begunAt }: PlatformAlertRecord): Field[] {
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
    ...text("Waits longest", "tenant_id"),
    ...text("Error", "error"),
    ...date("Since", "since"),
    ...date("Last read", "last_read_at"),
    ...date("Open turns closed", "open_until"),
    { label: "First seen", value: instantText(begunAt) },
  ];
}
