// The channels of the run: one of each kind for the whole platform, and channels of some tenants. Pure.

import type { ChannelTarget } from "../../src/records/channel.ts";
import { uuidOf } from "../support/builders/notice-builders.ts";
import type { SoakTenant } from "./traffic.ts";

export interface SoakChannel {
  readonly id: string;
  readonly tenantName: string | null;
  readonly kind: SoakKind;
  /** Part of the channel's target too, so that a received notice names its channel. */
  readonly name: string;
  readonly target: ChannelTarget;
  readonly slackUrl: string | null;
}

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(24, 5).toString("base64")}`;

const KINDS = ["slack", "email", "webhook"] as const;

type SoakKind = (typeof KINDS)[number];

export function makeChannels(tenants: readonly SoakTenant[], inboxUrl: string): SoakChannel[] {
  const owners = [null, ...tenants].flatMap((owner, index) => kindsOf(index).map((kind) => ({ owner, kind })));
  return owners.map(({ owner, kind }, index): SoakChannel => {
    const name = `${owner?.name ?? "platform"}-${kind}`;
    const target = targetOf(kind, name, inboxUrl);
    const slackUrl = target.kind === "slack" ? target.url : null;
    return { id: uuidOf(index + 1), tenantName: owner?.name ?? null, kind, name, target, slackUrl };
  });
}

/** The platform and one in five tenants have all three kinds, two in five have one, and the others none. */
function kindsOf(index: number): readonly SoakKind[] {
  if (index % 5 === 0) return KINDS;
  return index % 5 <= 2 ? KINDS.slice(index % 3, (index % 3) + 1) : [];
}

function targetOf(kind: SoakKind, name: string, inboxUrl: string): ChannelTarget {
  if (kind === "slack") return { kind, url: `${inboxUrl}/slack/${name}` };
  if (kind === "email") return { kind, to: [`${name}@example.com`] };
  return { kind, url: `${inboxUrl}/webhook/${name}`, secret: WEBHOOK_SECRET };
}
