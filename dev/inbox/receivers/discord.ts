// Discord's webhooks, with the limits of an embed. Answers as Discord does.

import * as z from "zod";
import { listOf, objectOf, textOf } from "../untrusted-json.ts";
import type { Receiver, Reply } from "./receiver.ts";

const field = z.object({
  name: z.string().min(1).max(256),
  value: z.string().min(1).max(1_024),
  inline: z.boolean().optional(),
});

const embed = z.object({
  title: z.string().min(1).max(256),
  description: z.string().max(4_096),
  url: z.url().optional(),
  color: z.int().min(0).max(0xffffff),
  fields: z.array(field).max(25),
  footer: z.object({ text: z.string().max(2_048) }),
});

const message = z.object({
  embeds: z.array(embed).min(1).max(10),
  allowed_mentions: z.object({ parse: z.array(z.never()) }),
});

export const discordEndpoint: Receiver = {
  kind: "discord",
  via: "discord",
  receive({ body }): Reply {
    const parsed = message.safeParse(body);
    if (parsed.success) return { status: 204, body: "", problems: [] };
    const problems = parsed.error.issues.map(({ path, message: text }) => `${path.join(".")}: ${text}`);
    return { status: 400, body: { message: "Invalid Form Body", code: 50035 }, problems };
  },
  fail({ status }) {
    if (status === 429)
      return { status, body: { message: "You are being rate limited.", retry_after: 1.5, global: false } };
    return {
      status,
      body: status === 404 ? { message: "Unknown Webhook", code: 10015 } : { message: "Failed", code: 0 },
    };
  },
  summarize: (body) => textOf(objectOf(listOf(objectOf(body)["embeds"])[0])["title"]),
};
