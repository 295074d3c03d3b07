// Derives a tenant's id from LiteLLM's data. A subject gets the same id in every run, so that a run after an
// interruption recognises the tenants that were already adopted.

import { tenantIdFrom } from "../../src/http/tenant-id.ts";
import type { Candidate } from "./litellm-subjects.ts";
import type { Naming } from "./options.ts";

/** Enough that no two of a million keys are likely to collide. */
const HASH_DIGITS = 12;

/** Null when the candidate lacks the field that the naming uses. */
export function tenantIdOf(candidate: Candidate, naming: Naming, teams: readonly Candidate[]): string | null {
  switch (naming.by) {
    case "alias":
      return ownName(candidate);
    case "metadata":
      return idFrom(candidate.reading?.metadata[naming.field]);
    case "team": {
      if (candidate.subject.kind === "team") return ownName(candidate);
      const team = teams.find(({ subject }) => subject.id === candidate.teamId);
      return team === undefined ? idFrom(candidate.teamId) : ownName(team);
    }
  }
}

function ownName({ subject, alias }: Candidate): string | null {
  const unnamed = subject.kind === "key" ? `key-${subject.id.slice(0, HASH_DIGITS)}` : subject.id;
  return idFrom(alias) ?? idFrom(unnamed);
}

/** `Acme Corp / prod` becomes `Acme-Corp-prod`. */
function idFrom(value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const id = String(value)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+|-+$/g, "");
  return tenantIdFrom(id);
}
