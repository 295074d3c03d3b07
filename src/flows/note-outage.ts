// Keeps the note that says since when LiteLLM is out. The note bounds how long a fail-open policy stays open.

import type { Instant } from "../budget/tenant.ts";
import type { Ports } from "../ports/ports.ts";

type Deps = Pick<Ports, "litellm" | "snapshots" | "log">;

export async function noteOutage({ now }: { now: Instant }, { litellm, snapshots, log }: Deps): Promise<void> {
  const answer = await litellm.ping();
  const noted = await snapshots.outageStartedAt();
  if (answer.ok && noted !== null) {
    log.info("litellm is back", { out_seconds: Math.round((now - noted) / 1_000) });
    await snapshots.writeOutage(null);
  }
  if (!answer.ok && noted === null) {
    log.error("litellm is out", null, { why: answer.failure.kind });
    await snapshots.writeOutage(now);
  }
}
