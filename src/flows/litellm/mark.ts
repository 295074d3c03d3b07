// The mark: a metadata field by which a key in LiteLLM proves that Bursar made it a tenant's. It finds the tenant of a
// key that LiteLLM has regenerated, because regenerating keeps the metadata. `tenant_id` alone is a label that every
// creator of keys can write. The mark is `<nonce>.<HMAC of tenant id and nonce>`: Postgres has the nonce, and only the
// Worker has the keys of the HMAC.

import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";

export const MARK = "bursar_mark";

type Marked = Pick<TenantRecord, "config" | "markNonce">;

type Signer = Pick<Ports, "cipher">;

/** The mark that the tenant's key should have: its present one if it is valid, even under an older key of the HMAC. */
export async function markFor(
  { config: { tenantId }, markNonce }: Marked & { readonly markNonce: string },
  present: unknown,
  { cipher }: Signer,
): Promise<string> {
  const text = textOf(tenantId, markNonce);
  const signature = signatureIn(present, markNonce);
  if (signature !== null && (await cipher.verify(text, signature))) return `${markNonce}.${signature}`;
  return `${markNonce}.${await cipher.sign(text)}`;
}

/** True when the row has the tenant's mark, so that Bursar has written it to this key or to one that this key was. */
export async function hasMarkOf(
  { config: { tenantId }, markNonce }: Marked,
  { metadata }: Pick<LiteLlmRow, "metadata">,
  { cipher }: Signer,
): Promise<boolean> {
  const signature = signatureIn(metadata[MARK], markNonce);
  return markNonce !== null && signature !== null && cipher.verify(textOf(tenantId, markNonce), signature);
}

/**
 * The mark to compare a row with for drift: by its nonce alone, because reads make this comparison and verify nothing.
 * Null for a team, which LiteLLM cannot regenerate.
 */
export function presentMark({ config, markNonce }: Marked, { metadata }: Pick<LiteLlmRow, "metadata">): string | null {
  if (config.subject.kind === "team") return null;
  const signature = signatureIn(metadata[MARK], markNonce);
  return `${markNonce}.${signature ?? ""}`;
}

const textOf = (tenantId: string, nonce: string): string => JSON.stringify([MARK, tenantId, nonce]);

/** Null when the value is no mark with this nonce. */
function signatureIn(mark: unknown, nonce: string | null): string | null {
  if (nonce === null || typeof mark !== "string" || !mark.startsWith(`${nonce}.`)) return null;
  return mark.slice(nonce.length + 1);
}
