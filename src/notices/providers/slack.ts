// Notices for Slack, in Block Kit: a sentence, a bar, one line of numbers, a button. Escapes text from outside, so that
// it can add no link, mention or emphasis.

import { barText } from "../bar.ts";
import type { KnownState } from "../budget-snapshot.ts";
import type { Tone } from "../copy/copy.ts";
import type { Fact } from "../facts.ts";
import { type Budget, type Button, headlineOf, type MessageModel, messageModelOf } from "../message-model.ts";
import type { Notice, SlackMessage } from "../notice.ts";
import { cut } from "../sanitize.ts";

/** Slack's limit, emoji and spaces included. */
const MAX_HEADER = 150;

/** Limit of the headline in the fallback text; notifications show less. */
const MAX_HEADLINE = 240;

/** Slack's limit is 3,000 for an element. A reason of 300 characters is at most five times as long once escaped. */
const MAX_FACT = 1_900;

const STATE_EMOJI: Readonly<Record<KnownState, string>> = {
  ok: ":large_green_circle:",
  warning: ":warning:",
  grace: ":rotating_light:",
  blocked: ":no_entry:",
};

/** Other tones show the emoji of the tenant's state. */
const TONE_EMOJI: Partial<Readonly<Record<Tone, string>>> = {
  reset: ":arrows_counterclockwise:",
  override: ":ticket:",
  suspended: ":octagonal_sign:",
  platform: ":rotating_light:",
  test: ":wrench:",
};

export function slackMessage(notice: Notice, publicUrl: string | null = null): SlackMessage {
  const model = messageModelOf(notice, publicUrl);
  const { budget, repetition, advice, tag, button, footer } = model;
  const emoji = emojiOf(model);
  const headline = headlineOf(model, MAX_HEADLINE, escapeSlack);
  const bar = budget?.bar ?? null;
  const lines = [...contextLines(model), [repetition === null ? footer : `${footer} · *${repetition}*`]];
  return {
    text: `${emoji} ${tag}${repetition === null ? "" : ` (${repetition})`}: ${headline}.`,
    blocks: [
      header(`${emoji} ${headlineOf(model, MAX_HEADER - emoji.length - 1, escapeSlack)}`),
      ...(bar === null ? [] : [{ type: "section", text: mrkdwn(barText(bar)) }]),
      ...(advice === null ? [] : [{ type: "section", text: mrkdwn(advice) }]),
      ...lines.map((texts) => ({ type: "context", elements: texts.map(mrkdwn) })),
      ...(button === null ? [] : [actions(button)]),
    ],
  };
}

function emojiOf({ tone, budget }: MessageModel): string {
  const state = budget?.snapshot.state ?? "ok";
  return TONE_EMOJI[tone] ?? STATE_EMOJI[state];
}

/** Each line has at most ten texts, which Slack shows side by side. */
function contextLines({ budget, facts }: MessageModel): string[][] {
  const numbers = budget === null ? [] : [[numbersLine(budget)]];
  return facts.length === 0 ? numbers : [...numbers, facts.map(factText)];
}

function numbersLine({ numbers: { amounts, blocks, resets } }: Budget): string {
  const parts = amounts.map(({ label, value }) => `${label} *${value}*`);
  return [...parts, ...(blocks === null ? [] : [blocks]), resets].join("  ·  ");
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

function factText({ label, value }: Fact): string {
  return `${label}: ${cut(value, MAX_FACT, escapeSlack)}`;
}

function header(text: string) {
  return { type: "header", text: { type: "plain_text", text, emoji: true } };
}

function actions({ label, url }: Button) {
  const text = { type: "plain_text", text: label, emoji: true };
  return { type: "actions", elements: [{ type: "button", text, url, style: "primary" }] };
}

/** `verbatim`: Slack does not turn text into links or mentions. */
function mrkdwn(text: string) {
  return { type: "mrkdwn", text, verbatim: true };
}
