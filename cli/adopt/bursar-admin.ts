// The two calls of Bursar's admin API that adoption needs: list the tenants, and adopt one.

import type { Enforcement, Subject } from "../../src/budget/tenant.ts";
import { type Api, type ApiAnswer, describeAnswer, isRecord } from "./polite-api.ts";

/** Tenant ids by subject, and subjects by tenant id. */
export interface KnownTenants {
  readonly bySubject: ReadonlyMap<string, string>;
  readonly byId: ReadonlyMap<string, string>;
}

/** `isPending`: LiteLLM is not yet in sync, and Bursar's sweep retries. */
export type Adopted =
  | { readonly kind: "adopted"; readonly isPending: boolean }
  | { readonly kind: "already" }
  | { readonly kind: "failed"; readonly why: string };

/** The API's maximum. */
const PAGE_SIZE = 200;

export const subjectName = ({ kind, id }: Subject): string => `${kind}/${id}`;

/** @throws Error with a message for the operator. */
export async function listTenants(bursar: Api): Promise<KnownTenants> {
  const bySubject = new Map<string, string>();
  const byId = new Map<string, string>();
  let cursor: string | null = null;
  do {
    const after: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer: ApiAnswer = await bursar.get(`/v1/tenants?limit=${PAGE_SIZE}${after}`);
    const { body } = answer;
    const data = isRecord(body) ? body["data"] : null;
    if (answer.status !== 200 || !isRecord(body) || !Array.isArray(data)) {
      throw new Error(`Bursar's /v1/tenants answers ${describeAnswer(answer)}`);
    }
    for (const tenant of data.filter(isRecord)) {
      const name = subjectName(tenant["subject"] as Subject);
      bySubject.set(name, String(tenant["tenant_id"]));
      byId.set(String(tenant["tenant_id"]), name);
    }
    cursor = typeof body["next_cursor"] === "string" ? body["next_cursor"] : null;
  } while (cursor !== null);
  return { bySubject, byId };
}

/** Adopts a tenant. Returns `already` when an earlier request succeeded, even if its answer was lost. */
export async function adopt(
  { tenantId, subject, enforcement }: { tenantId: string; subject: Subject; enforcement: Enforcement },
  bursar: Api,
): Promise<Adopted> {
  const field = subject.kind === "key" ? "litellm_key" : "litellm_team_id";
  const body = { tenant_id: tenantId, [field]: subject.id, enforcement };
  try {
    const answer = await bursar.post("/v1/tenants", body);
    if (answer.status === 201) {
      return { kind: "adopted", isPending: isRecord(answer.body) && answer.body["litellm_sync"] === "pending" };
    }
    if (answer.status === 409 && (await isThere(tenantId, subject, bursar))) return { kind: "already" };
    return { kind: "failed", why: `Bursar answers ${describeAnswer(answer)}` };
  } catch (error) {
    return { kind: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

async function isThere(tenantId: string, subject: Subject, bursar: Api): Promise<boolean> {
  const { status, body } = await bursar.get(`/v1/tenants/${encodeURIComponent(tenantId)}`);
  return status === 200 && isRecord(body) && subjectName(body["subject"] as Subject) === subjectName(subject);
}
