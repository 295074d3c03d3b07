// Notices for Slack, in Block Kit. Escapes text from outside, so that it can add no link, mention or emphasis.

import { type BasisPoints, dollars, WHOLE } from "../budget/money.ts";
import type { BudgetSnapshot, KnownState } from "./budget-snapshot.ts";
import type { Tone } from "./copy/copy.ts";
import type { Field } from "./fields.ts";
import { percent } from "./format.ts";
import { headlineOf, type MessageModel, messageModelOf } from "./message-model.ts";
import type { Notice, SlackMessage } from "./notice.ts";
import { cut } from "./sanitize.ts";

/** Slack's limit, emoji and spaces included. */
const MAX_HEADER = 150;

/** Limit of the headline in the fallback text; notifications show less. */
const MAX_HEADLINE = 240;

/** Slack's limit is 2,000. A reason of 300 characters is at most five times as long once escaped. */
const MAX_FIELD = 1_900;

const CELLS = 20;

const STATE_EMOJI: Readonly<Record<KnownState, string>> = {
  ok: ":large_green_circle:",
  warning: ":warning:",
  grace: ":rotating_light:",
  blocked: ":no_entry:",
};

/** Other tones show the emoji of the tenant's state. */
const TONE_EMOJI: Partial<Readonly<Record<Tone, string>>> = {
  projected: ":chart_with_upwards_trend:",
  reset: ":arrows_counterclockwise:",
  override: ":ticket:",
  suspended: ":octagonal_sign:",
  platform: ":rotating_light:",
  test: ":wrench:",
};

export function slackMessage(notice: Notice): SlackMessage {
  const model = messageModelOf(notice);
  const { snapshot, repetition, summary, advice, tag, footer } = model;
  const emoji = emojiOf(model);
  const headline = headlineOf(model, MAX_HEADLINE, escapeSlack);
  const sentences = [`${emoji} ${tag}: ${headline}.`, repetition, summary, advice];
  return {
    text: sentences.filter((sentence) => sentence !== null).join(" "),
    blocks: [
      header(`${emoji} ${headlineOf(model, MAX_HEADER - emoji.length - 1, escapeSlack)}`),
      ...(snapshot === null ? [] : [section(progress(snapshot, emoji))]),
      section(repetition === null ? summary : `*${repetition}* ${summary}`),
      { type: "section", fields: model.fields.map(field) },
      section(`*What to do*\n${advice}`),
      { type: "context", elements: [mrkdwn(escapeSlack(footer))] },
    ],
  };
}

function emojiOf({ tone, snapshot }: MessageModel): string {
  const ofState = STATE_EMOJI[snapshot?.state ?? "ok"];
  return TONE_EMOJI[tone] ?? ofState;
}

/** Plain text rather than code, which Slack always shows in red. */
function progress(snapshot: BudgetSnapshot, headerEmoji: string): string {
  const { used, overLimitNanoUsd, budgetState } = snapshot;
  const over = overLimitNanoUsd > 0n ? `, ${dollars(overLimitNanoUsd)} over the limit` : "";
  const caption = used === null ? "the limit is zero" : `*${percent(used)}* used${over}`;
  const emoji = STATE_EMOJI[budgetState];
  return `${emoji === headerEmoji ? "" : `${emoji} `}${progressBar(used)} ${caption}`;
}

/** Twenty cells up to the limit. An arrow at the end shows spend over the limit, or a limit of zero. */
export function progressBar(used: BasisPoints | null): string {
  const full = used === null || used > WHOLE ? CELLS : Number((used * BigInt(CELLS)) / WHOLE);
  const isOver = used === null || used > WHOLE;
  return `${"▓".repeat(full)}${"░".repeat(CELLS - full)}${isOver ? "▶" : ""}`;
}

/** Slack has no escape for these marks, so look-alikes replace them. */
const LOOK_ALIKES = {
  "*": "∗",
  "~": "∼",
  "`": "ˋ",
  _: "ˍ",
  ":": "꞉",
  "@": "＠",
  ">": "›",
} as const;

/**
 * The marks that Slack acts on: emphasis, code, `_` at the edge of a word, `:emoji:`, `@channel`, and `>` at the start
 * of a quote.
 */
const MARKS = /[*~`]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|:(?=[^\s:]+:)|@(?=(?:here|channel|everyone|group)\b)|^>/giu;

function escapeSlack(text: string): string {
  const plain = text.replace(MARKS, (mark) => LOOK_ALIKES[mark as keyof typeof LOOK_ALIKES]);
  return plain.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function header(text: string) {
  return { type: "header", text: { type: "plain_text", text, emoji: true } };
}

function section(text: string) {
  return { type: "section", text: mrkdwn(text) };
}

function field({ label, value }: Field) {
  return mrkdwn(`*${label}*\n${cut(value, MAX_FIELD, escapeSlack)}`);
}

/** `verbatim`: Slack does not turn text into links or mentions. */
function mrkdwn(text: string) {
  return { type: "mrkdwn", text, verbatim: true };
}
