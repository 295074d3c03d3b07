// Notices for Discord: one embed. Escapes text from outside, and allows no mention.

import type { APIEmbed, RESTPostAPIWebhookWithTokenJSONBody } from "discord-api-types/v10";
import { barText } from "../bar.ts";
import type { Tone } from "../copy/copy.ts";
import type { Fact } from "../facts.ts";
import { headlineOf, type MessageModel, messageModelOf } from "../message-model.ts";
import type { Notice } from "../notice.ts";
import { cut } from "../sanitize.ts";

export type DiscordMessage = RESTPostAPIWebhookWithTokenJSONBody;

/** Discord's limit of a title. */
const MAX_TITLE = 256;

/** Discord's limit of a field is 1,024. */
const MAX_FACT = 900;

const COLORS: Readonly<Record<Tone, number>> = {
  warning: 0xe8a90c,
  critical: 0xdc3b32,
  blocked: 0x7d1210,
  resolved: 0x2f9e54,
  reset: 0x0f6b78,
  override: 0x2358c0,
  suspended: 0x454d5c,
  resumed: 0x2f9e54,
  platform: 0xc8231b,
  test: 0x5a6270,
};

export function discordMessage(notice: Notice, publicUrl: string | null): DiscordMessage {
  const model = messageModelOf(notice, publicUrl);
  const { tone, facts, budget, button, footer, repetition } = model;
  const embed: APIEmbed = {
    title: headlineOf(model, MAX_TITLE, escapeDiscord),
    color: COLORS[tone],
    description: descriptionOf(model),
    fields: [...(budget?.numbers.amounts ?? []).map((fact) => ({ ...field(fact), inline: true })), ...facts.map(field)],
    footer: { text: repetition === null ? footer : `${footer} · ${repetition}` },
    ...(button !== null && { url: button.url }),
  };
  return { embeds: [embed], allowed_mentions: { parse: [] } };
}

/** A webhook's message has no buttons, so the button is a link. */
function descriptionOf({ budget, advice, button }: MessageModel): string {
  const { blocks = null, resets = null } = budget?.numbers ?? {};
  const bar = budget?.bar ?? null;
  const under = [blocks, resets].filter((text) => text !== null).join(" · ");
  const link = button === null ? "" : `[${button.label}](${button.url})`;
  const lines = [bar === null ? "" : `\`${barText(bar)}\``, under, advice ?? "", link];
  return lines.filter((line) => line !== "").join("\n");
}

function field({ label, value }: Fact): { name: string; value: string } {
  return { name: label, value: cut(value, MAX_FACT, escapeDiscord) };
}

/** Discord's markup, mentions and links; a backslash shows the character itself. */
function escapeDiscord(text: string): string {
  return text.replace(/[\\*_~`|>#\-[\]()<@:]/g, "\\$&");
}
