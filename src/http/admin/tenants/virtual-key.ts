// The virtual key of a new or restored tenant. Bursar generates it, so LiteLLM need not return it. Never stored in the
// clear or logged.

import type { Context } from "hono";
import type { KeyHash } from "../../../budget/tenant.ts";
import type { TenantWithKey } from "../../../flows/tenants/new-key.ts";
import { keyHashOf } from "../../../wire/key-hash.ts";
import type { AppEnv } from "../../app-env.ts";
import { etagOf } from "../../request/if-match.ts";
import { type OnceAnswer, replayed } from "../idempotency.ts";
import { tenantJson } from "./tenant-json.ts";

/** `sk-` and the 32 random bytes in base64url: 43 characters. LiteLLM refuses a key without the prefix. */
export function virtualKeyFrom(random: Uint8Array<ArrayBuffer>): string {
  const text = btoa(String.fromCharCode(...random));
  return `sk-${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

export async function newVirtualKey(): Promise<{ readonly virtualKey: string; readonly keyHash: KeyHash }> {
  const virtualKey = virtualKeyFrom(crypto.getRandomValues(new Uint8Array(32)));
  return { virtualKey, keyHash: await keyHashOf(virtualKey) };
}

/** 201 with the key of a tenant that has one of its own. Without the key where an earlier request may have shown it. */
export function newKeyAnswer(c: Context<AppEnv>, { tenant, virtualKey }: TenantWithKey): OnceAnswer {
  const { tenantId } = tenant.config;
  const shown = tenantJson(tenant, c.get("now"));
  const note = `The virtual key is shown once. POST /v1/tenants/${tenantId}/keys makes a new one.`;
  const location = `/v1/tenants/${tenantId}`;
  const kept = { status: 201, location, body: { ...shown, note } };
  if (virtualKey === null) return { response: replayed(c, kept), kept };
  const headers = { Location: location, ETag: etagOf(tenant.settingsVersion) };
  return { response: c.json({ ...shown, virtual_key: virtualKey }, 201, headers), kept };
}
