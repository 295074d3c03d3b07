// Notices for Microsoft Teams: an Adaptive Card in the envelope that a Power Automate workflow takes. Text from outside
// is only in text runs, in which Teams knows no markup.

import { barText } from "../bar.ts";
import type { Tone } from "../copy/copy.ts";
import type { Fact } from "../facts.ts";
import { type Budget, headlineOf, messageModelOf } from "../message-model.ts";
import type { Notice } from "../notice.ts";

type CardElement = Readonly<Record<string, unknown>>;

export interface TeamsMessage {
  readonly type: "message";
  readonly attachments: readonly [
    {
      readonly contentType: "application/vnd.microsoft.card.adaptive";
      readonly contentUrl: null;
      readonly content: Readonly<Record<string, unknown>>;
    },
  ];
}

const MAX_HEADLINE = 320;

const COLORS: Readonly<Record<Tone, "default" | "good" | "warning" | "attention" | "accent">> = {
  warning: "warning",
  critical: "attention",
  blocked: "attention",
  resolved: "good",
  reset: "accent",
  override: "accent",
  suspended: "attention",
  resumed: "good",
  platform: "attention",
  test: "default",
};

export function teamsMessage(notice: Notice, publicUrl: string | null): TeamsMessage {
  const model = messageModelOf(notice, publicUrl);
  const { tone, tag, budget, facts, advice, button, repetition, footer } = model;
  const headline = headlineOf(model, MAX_HEADLINE);
  const content = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    // What Teams shows in the list of chats.
    fallbackText: `${tag}: ${headline}`,
    msteams: { width: "Full" },
    body: [
      line([run(repetition === null ? tag : `${tag} · ${repetition}`, { color: COLORS[tone], weight: "bolder" })]),
      line([run(headline, { size: "large", weight: "bolder" })]),
      ...(budget === null ? [] : budgetElements(budget, COLORS[tone])),
      ...facts.map(factLine),
      ...(advice === null ? [] : [line([run(advice)])]),
      line([run(footer, { size: "small", isSubtle: true })]),
    ],
    actions: button === null ? [] : [{ type: "Action.OpenUrl", title: button.label, url: button.url }],
  };
  const contentType = "application/vnd.microsoft.card.adaptive";
  return { type: "message", attachments: [{ contentType, contentUrl: null, content }] };
}

function budgetElements({ bar, numbers: { amounts, blocks, resets } }: Budget, color: string): CardElement[] {
  const under = [blocks, resets].filter((text) => text !== null).join(" · ");
  return [
    ...(bar === null ? [] : [line([run(barText(bar), { fontType: "monospace", color })])]),
    { type: "ColumnSet", columns: amounts.map(amountColumn) },
    line([run(under, { size: "small", isSubtle: true })]),
  ];
}

function amountColumn({ label, value }: Fact): CardElement {
  const items = [line([run(label, { size: "small", isSubtle: true })]), line([run(value, { weight: "bolder" })])];
  return { type: "Column", width: "stretch", items };
}

function factLine({ label, value }: Fact): CardElement {
  return line([run(`${label} `, { isSubtle: true }), run(value)]);
}

function line(inlines: readonly CardElement[]): CardElement {
  return { type: "RichTextBlock", inlines };
}

function run(text: string, style: CardElement = {}): CardElement {
  return { type: "TextRun", text, ...style };
}
