// Renders one notice for its channel and hands it to the provider once. Never logs a target. Never throws: an error is
// an outcome, so that a bug in rendering counts like any other failed attempt.

import type { LogFields, Ports } from "../../ports/ports.ts";
import type { SendOutcome } from "../../records/delivery.ts";
import { type NoticeToRender, type Rendered, renderNotice } from "./render-notice.ts";

export interface AttemptInput extends NoticeToRender {
  /** Fields for the log. */
  readonly about: LogFields;
}

export interface Attempted {
  readonly outcome: SendOutcome;
  /** The text of the notice. */
  readonly preview: string;
}

export async function attemptNotice(
  input: AttemptInput,
  { notifier, policy, log }: Pick<Ports, "notifier" | "policy" | "log">,
): Promise<Attempted> {
  let rendered: Rendered;
  try {
    rendered = renderNotice(input, policy);
  } catch (cause) {
    log.error("notice rendering failed", cause, input.about);
    return { outcome: failed("the notice could not be rendered"), preview: "" };
  }
  const { preview, send } = rendered;
  try {
    return { outcome: await send(notifier), preview };
  } catch (cause) {
    // The error's message may contain the target.
    const error = cause instanceof Error ? cause.name : typeof cause;
    log.error("notifier threw", null, { ...input.about, error });
    return { outcome: failed("the notifier threw an error"), preview };
  }
}

function failed(why: string): SendOutcome {
  return { kind: "failed", why, retryAfterSeconds: null };
}
