// The administrator's routes for channels, alerts and the audit over the real app, on a real Postgres. The notifier
// returns the outcomes that a test sets. The date is frozen.

import { afterAll, beforeEach, vi } from "vitest";
import { aesCipher } from "../../../src/adapters/cloudflare/aes-cipher.ts";
import { postgresAlerts } from "../../../src/adapters/postgres/alerts/alerts.ts";
import { postgresAuditLog } from "../../../src/adapters/postgres/audit/audit-log.ts";
import { postgresChannels } from "../../../src/adapters/postgres/notices/channels.ts";
import { postgresDeadLetters } from "../../../src/adapters/postgres/notices/dead-letters.ts";
import { createApp } from "../../../src/app.ts";
import type { Notifier, Ports } from "../../../src/ports/ports.ts";
import type { SendOutcome } from "../../../src/records/delivery.ts";
import { NOW } from "../../budget/builders.ts";
import { RecordedLog } from "../fakes/recorded-log.ts";
import { unusedPorts } from "../faults/unused-port.ts";
import { postgresBackends } from "../servers/postgres-backends.ts";
import { useTenants } from "../servers/tenant-database.ts";
import { type Answer, TOKENS } from "./http-world.ts";

export const ADMIN = "admin-token";
export const READER = "read-token";

const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

/** Records what the app sends. `answers` returns the outcome. */
class FakeNotifier implements Notifier {
  readonly sent: { kind: string; target: unknown; message: unknown; id: string | null; secret: string | null }[] = [];
  answers: () => SendOutcome = () => ({ kind: "sent" });

  readonly slack = async (...[url, message]: Parameters<Notifier["slack"]>) => {
    this.sent.push({ kind: "slack", target: url, message, id: null, secret: null });
    return this.answers();
  };

  readonly email = async (...[to, message, id]: Parameters<Notifier["email"]>) => {
    this.sent.push({ kind: "email", target: to, message, id, secret: null });
    return this.answers();
  };

  readonly webhook = async (...[url, secret, { body, webhookId }]: Parameters<Notifier["webhook"]>) => {
    this.sent.push({ kind: "webhook", target: url, message: JSON.parse(body), id: webhookId, secret });
    return this.answers();
  };

  readonly pagerduty = async (...[target, message]: Parameters<Notifier["pagerduty"]>) => {
    this.sent.push({ kind: "pagerduty", target, message, id: message.dedup_key, secret: null });
    return this.answers();
  };

  readonly teams = async (...[target, message]: Parameters<Notifier["teams"]>) => {
    this.sent.push({ kind: "teams", target, message, id: null, secret: null });
    return this.answers();
  };

  readonly discord = async (...[target, message]: Parameters<Notifier["discord"]>) => {
    this.sent.push({ kind: "discord", target, message, id: null, secret: null });
    return this.answers();
  };
}

/** Registers the hooks of a suite. Objects that are new in each test are behind functions. */
export function useNoticesApi() {
  const [embedded] = postgresBackends;
  if (embedded === undefined) throw new Error("no Postgres backend");
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
  afterAll(() => void vi.useRealTimers());
  const { db, tenants, create: createTenant } = useTenants(embedded);
  const policy = { allowsLocalTargets: false, publicUrl: null as string | null };
  let notifier: FakeNotifier;
  let log: RecordedLog;
  let encryptionKey: Uint8Array<ArrayBuffer>;
  beforeEach(() => {
    notifier = new FakeNotifier();
    log = new RecordedLog();
    encryptionKey = new Uint8Array(32).fill(7);
    policy.allowsLocalTargets = false;
    policy.publicUrl = null;
  });

  const app = createApp(() => ({ ports: ports(), tokens: TOKENS }));
  function ports(): Ports {
    const database = () => db.database();
    return {
      ...unusedPorts(),
      tenants,
      channels: postgresChannels(database),
      alerts: postgresAlerts(database),
      audit: postgresAuditLog(database),
      deadLetters: postgresDeadLetters(database),
      cipher: aesCipher([{ id: "k1", key: encryptionKey }]),
      notifier,
      log,
      policy,
      clock: () => NOW,
      // The routes under test use no other port.
    } as unknown as Ports;
  }

  async function call(method: string, path: string, body?: unknown, token = ADMIN): Promise<Answer> {
    const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
    const request = new Request(`https://bursar.test${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(text !== undefined && { body: text }),
    });
    const response = await app.fetch(request, {}, execution);
    const answer = await response.text();
    return { status: response.status, headers: response.headers, body: answer === "" ? null : JSON.parse(answer) };
  }

  return {
    db,
    tenants,
    createTenant,
    policy,
    call,
    notifier: () => notifier,
    log: () => log,
    /** Replaces the encryption key, so that existing ciphertexts cannot be decrypted. */
    loseEncryptionKey() {
      encryptionKey = new Uint8Array(32).fill(8);
    },
  };
}

/** A problem without the fields that differ in each answer. */
export const problemOf = ({ status, body }: Answer) => ({
  status,
  type: String(body.type).replace("urn:bursar:problem:", ""),
  detail: body.detail,
});
