// Slack channels that post to the inbox, created through the Worker's own API.

import type { Workerd } from "../../dev/worker/workerd.ts";

/** Returns the channel's id. `tenantId` null: for every tenant. @throws Error with the answer on failure. */
export async function createSlackChannel(worker: Workerd, url: string, tenantId: string | null): Promise<string> {
  const body = { kind: "slack", name: `slack of ${tenantId ?? "all"}`, url, tenant_id: tenantId };
  const response = await call(worker, "POST", "/v1/channels", body);
  if (response.status !== 201) throw new Error(`channel: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { id: string }).id;
}

export async function removeChannel(worker: Workerd, id: string): Promise<void> {
  const response = await call(worker, "DELETE", `/v1/channels/${id}`);
  if (response.status !== 204) throw new Error(`channel ${id}: ${response.status} ${await response.text()}`);
}

function call({ url }: Workerd, method: string, path: string, body?: object): Promise<Response> {
  return fetch(url + path, {
    method,
    headers: { authorization: "Bearer dev-admin-token", "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}
