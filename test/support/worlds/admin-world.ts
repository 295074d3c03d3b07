// The world of the administrator's flows: a real Postgres, the LiteLLM simulator behind the real client, and in-memory
// fakes of KV, queues and Redis. All share one clock, which the test sets.

import { afterAll, beforeEach } from "vitest";
import { type Litellm, startLitellm } from "../../../dev/litellm/start.ts";
import { aesCipher } from "../../../src/adapters/cloudflare/aes-cipher.ts";
import { IsolateMemory } from "../../../src/adapters/cloudflare/isolate-memory.ts";
import { realTimers } from "../../../src/adapters/cloudflare/timers.ts";
import { liteLlmClient } from "../../../src/adapters/litellm/litellm-client.ts";
import { Breaker, liteLlmHttp } from "../../../src/adapters/litellm/litellm-http.ts";
import { postgresAlerts } from "../../../src/adapters/postgres/alerts/alerts.ts";
import { postgresPlatformAlerts } from "../../../src/adapters/postgres/alerts/platform-alerts.ts";
import { postgresTenantKeys } from "../../../src/adapters/postgres/keys/tenant-keys.ts";
import { postgresOutageNotes } from "../../../src/adapters/postgres/outage-notes.ts";
import { postgresReadLeases } from "../../../src/adapters/postgres/read-leases.ts";
import { postgresSpendBatches } from "../../../src/adapters/postgres/spend-batches.ts";
import { postgresLedgers } from "../../../src/adapters/postgres/tenants/ledgers.ts";
import { postgresOverrides } from "../../../src/adapters/postgres/tenants/overrides.ts";
import { postgresTenants } from "../../../src/adapters/postgres/tenants/tenants.ts";
import type { CreateTenantInput } from "../../../src/flows/tenants/create-tenant.ts";
import type { Background, LiteLlm } from "../../../src/ports/ports.ts";
import { MINUTE, NOW } from "../../budget/builders.ts";
import { anActor, idOf } from "../builders/builders.ts";
import { sha256, VIRTUAL_KEY } from "../builders/virtual-key.ts";
import { FakeClaims } from "../fakes/fake-claims.ts";
import { FakeNoticeQueue } from "../fakes/fake-notice-queue.ts";
import { FakeSnapshots } from "../fakes/fake-snapshots.ts";
import { FakeSpendQueue } from "../fakes/fake-spend-queue.ts";
import { RecordedLog } from "../fakes/recorded-log.ts";
import { postgresBackends } from "../servers/postgres-backends.ts";
import { type TenantDatabase, useTenantDatabase } from "../servers/tenant-database.ts";
import { POLICY } from "./check-world.ts";

type Deps = ReturnType<AdminWorld["deps"]>;

/** The input that creates `acme` with its own key. */
export function ownKeyInput(differences: Partial<CreateTenantInput> = {}): CreateTenantInput {
  const origin = { kind: "own_key", virtualKey: VIRTUAL_KEY, keyHash: sha256(VIRTUAL_KEY) } as const;
  return { tenantId: idOf("acme"), settings: {}, origin, actor: anActor(), isUnanswered: true, ...differences };
}

export class AdminWorld {
  readonly db: TenantDatabase;
  #litellm: Litellm | null = null;
  now = NOW;

  constructor(db: TenantDatabase) {
    this.db = db;
  }

  get litellm(): Litellm {
    if (this.#litellm === null) throw new Error("LiteLLM is not started");
    return this.#litellm;
  }

  /** Starts an empty LiteLLM and sets the clock to NOW. */
  async begin(): Promise<void> {
    this.now = NOW;
    await this.#litellm?.stop();
    // LiteLLM's reset job runs every ten minutes, and so exactly ten minutes after a period that ends at midnight.
    const resetCheckMs = 10 * MINUTE;
    this.#litellm = await startLitellm({ now: () => this.now, databaseDelayMs: 0, resetCheckMs });
  }

  deps() {
    const log = new RecordedLog();
    const clock = () => this.now;
    const { url, masterKey } = this.litellm;
    const background: Background = (_what, work) => void work.catch(() => {});
    const http = liteLlmHttp({ url, masterKey, breaker: new Breaker(), clock, background });
    return {
      tenants: postgresTenants(this.db.database),
      tenantKeys: postgresTenantKeys(this.db.database),
      overrides: postgresOverrides(this.db.database),
      spendBatches: postgresSpendBatches(this.db.database),
      ledgers: postgresLedgers(this.db.database),
      readLeases: postgresReadLeases(this.db.database),
      alerts: postgresAlerts(this.db.database),
      platformAlerts: postgresPlatformAlerts(this.db.database),
      outageNotes: postgresOutageNotes(this.db.database),
      claims: new FakeClaims(),
      noticeQueue: new FakeNoticeQueue(),
      policy: POLICY,
      litellm: liteLlmClient(http, clock, log) as LiteLlm,
      cipher: aesCipher([{ id: "k1", key: new Uint8Array(32).fill(7) }]),
      memory: new IsolateMemory(),
      snapshots: new FakeSnapshots(),
      spendQueue: new FakeSpendQueue(),
      timers: realTimers,
      background,
      log,
    };
  }

  /** Calls LiteLLM's management API directly, as an administrator does. */
  // biome-ignore lint/suspicious/noExplicitAny: LiteLLM's rows; tests assert what they read of them
  async manage(method: "GET" | "POST", path: string, body?: unknown): Promise<any> {
    const response = await fetch(this.litellm.url + path, {
      method,
      headers: { authorization: `Bearer ${this.litellm.masterKey}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const json = await response.json();
    if (method === "POST" && !response.ok) throw new Error(JSON.stringify(json));
    return response.ok ? json : null;
  }

  /** LiteLLM's row of a key, or null. */
  async keyRow(hash: string) {
    return (await this.manage("GET", `/key/info?key=${hash}`))?.info ?? null;
  }

  async teamRow(teamId: string) {
    return (await this.manage("GET", `/team/info?team_id=${teamId}`))?.team_info ?? null;
  }

  /** The paths of the requests to LiteLLM other than GET since the last `clearRequests`. */
  changesSent(): string[] {
    return this.litellm
      .requests()
      .filter(({ method }) => method !== "GET")
      .map(({ path }) => path);
  }

  async stop() {
    await this.#litellm?.stop();
  }
}

/**
 * Registers the hooks of a suite: before each test the database and LiteLLM are empty. `deps` belong to one isolate.
 * `renewDeps` replaces them by those of another isolate, with empty memory and a closed breaker.
 */
export function useAdminWorld(backend = postgresBackends[0]) {
  if (backend === undefined) throw new Error("no Postgres backend");
  const world = new AdminWorld(useTenantDatabase(backend));
  const deps = {} as Deps; // filled before each test
  const renewDeps = () => void Object.assign(deps, world.deps());
  beforeEach(async () => {
    await world.begin();
    renewDeps();
  });
  afterAll(() => world.stop());
  return { world, deps, renewDeps };
}
