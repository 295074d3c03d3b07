// Small typed calls for the end-to-end tests: the administrator's, the orchestrator's and the agent's.

import { randomBytes } from "node:crypto";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; an empty object when there is no body. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read any field of an answer
  readonly body: any;
}

export const ADMIN = "dev-admin-token";
export const READER = "dev-read-token";

export async function send(
  method: string,
  url: string,
  options: { token?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  const { token, headers, body } = options;
  const response = await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : JSON.parse(text) };
}

export function apiOf(baseUrl: string) {
  return {
    admin: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      send(method, baseUrl + path, { token: ADMIN, body, headers }),
    /** Ask. */
    ask: (virtualKey: string, headers: Record<string, string> = {}) =>
      send("GET", `${baseUrl}/v1/budget`, { token: virtualKey, headers }),
    check: (tenantId: string, headers: Record<string, string> = {}) =>
      send("GET", `${baseUrl}/v1/tenants/${tenantId}/check`, { token: READER, headers }),
    /** Creates a tenant with a new id. @throws Error with the answer when that fails. */
    async createTenant(fields: Record<string, unknown> = {}): Promise<{ tenantId: string; key: string }> {
      const tenantId = aTenantId();
      const created = await send("POST", `${baseUrl}/v1/tenants`, {
        token: ADMIN,
        body: { tenant_id: tenantId, ...fields },
      });
      if (created.status !== 201) throw new Error(`not created: ${created.status} ${JSON.stringify(created.body)}`);
      return { tenantId, key: created.body.virtual_key };
    },
  };
}

export function aTenantId(): string {
  return `tenant-${randomBytes(5).toString("hex")}`;
}

/** Polls until `read` returns a value, for results of background work. @throws Error after `withinMs`, to end hangs. */
export async function eventually<T>(read: () => Promise<T | null | false>, withinMs = 60_000): Promise<T> {
  const begunAt = Date.now();
  for (;;) {
    const value = await read();
    if (value !== null && value !== false) return value;
    if (Date.now() - begunAt > withinMs) throw new Error(`did not happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
