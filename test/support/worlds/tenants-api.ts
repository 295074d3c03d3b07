// The administrator's API over the real app, in an admin world. The date is frozen.

import { afterAll, beforeEach, vi } from "vitest";
import { postgresAuditLog } from "../../../src/adapters/postgres/audit/audit-log.ts";
import { postgresChannels } from "../../../src/adapters/postgres/notices/channels.ts";
import { postgresDeadLetters } from "../../../src/adapters/postgres/notices/dead-letters.ts";
import { postgresDeliveries } from "../../../src/adapters/postgres/notices/deliveries.ts";
import { createApp } from "../../../src/app.ts";
import type { Tokens } from "../../../src/ports/policy.ts";
import type { Ports } from "../../../src/ports/ports.ts";
import { NOW } from "../../budget/builders.ts";
import { FakeClaims } from "../fakes/fake-claims.ts";
import { useAdminWorld } from "./admin-world.ts";
import type { Answer } from "./http-world.ts";

const tokens: Tokens = {
  admin: [
    { name: "alice", token: "admin" },
    { name: "bob", token: "bobs" },
  ],
  read: [{ name: "reader", token: "read" }],
  webhookSecrets: ["not used"],
  webhookUrl: ["not used"],
  guardrail: ["guardrail-token"],
  events: ["not used"],
};
const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} } as unknown as ExecutionContext;

/** The fields that a 422 names, sorted. */
export const fieldsOf = ({ body }: Answer): string[] => body.errors.map(({ field }: { field: string }) => field).sort();

/** Registers the hooks of a suite. `claims()` are those of the running test. */
export function useTenantsApi() {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
  const { world, deps } = useAdminWorld();
  let claims: FakeClaims;
  let app: ReturnType<typeof createApp>;
  beforeEach(() => {
    claims = new FakeClaims();
    // The routes under test use no other port.
    const ports = {
      ...deps,
      claims,
      audit: postgresAuditLog(world.db.database),
      channels: postgresChannels(world.db.database),
      deliveries: postgresDeliveries(world.db.database),
      deadLetters: postgresDeadLetters(world.db.database),
      replayQueues: { send: async () => true },
      clock: () => world.now,
    } as unknown as Ports;
    app = createApp(() => ({ ports, tokens }));
  });
  afterAll(() => void vi.useRealTimers());

  async function call(
    method: string,
    path: string,
    body?: unknown,
    options: { token?: string; key?: string; signal?: AbortSignal; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${options.token ?? "admin"}`,
      ...(options.key !== undefined && { "idempotency-key": options.key }),
      ...options.headers,
    };
    const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
    const { signal } = options;
    const init = {
      method,
      headers,
      ...(text !== undefined && { body: text }),
      ...(signal !== undefined && { signal }),
    };
    const response = await app.request(path, init, {} as Env, execution);
    const answer = await response.text();
    return { status: response.status, headers: response.headers, body: answer === "" ? null : JSON.parse(answer) };
  }

  /** `signal`: aborted when the caller has gone. */
  const create = (body: object = {}, key?: string, signal?: AbortSignal) =>
    call(
      "POST",
      "/v1/tenants",
      { tenant_id: "acme", ...body },
      { ...(key !== undefined && { key }), ...(signal !== undefined && { signal }) },
    );

  return { world, deps, claims: () => claims, call, create };
}
