// Bindings + Config → Ports. The only importer of adapters. Adapters live for one request; only plain data lives
// longer.

import { aesCipher } from "./adapters/cloudflare/aes-cipher.ts";
import { IsolateBreakers } from "./adapters/cloudflare/isolate-breakers.ts";
import { IsolateMemory } from "./adapters/cloudflare/isolate-memory.ts";
import { kvSnapshots, newIsolateKv } from "./adapters/cloudflare/kv-snapshots.ts";
import { consoleLog } from "./adapters/cloudflare/log.ts";
import { queueNotices, queueSpend, replayQueues } from "./adapters/cloudflare/queues.ts";
import { realTimers } from "./adapters/cloudflare/timers.ts";
import { liteLlmCalls } from "./adapters/litellm/litellm-calls.ts";
import { liteLlmClient } from "./adapters/litellm/litellm-client.ts";
import { Breaker, liteLlmHttp } from "./adapters/litellm/litellm-http.ts";
import { discordNotifier } from "./adapters/notifiers/discord-notifier.ts";
import { emailNotifier } from "./adapters/notifiers/email-notifier.ts";
import { pagerDutyNotifier } from "./adapters/notifiers/pagerduty-notifier.ts";
import { slackNotifier } from "./adapters/notifiers/slack-notifier.ts";
import { teamsNotifier } from "./adapters/notifiers/teams-notifier.ts";
import { webhookNotifier } from "./adapters/notifiers/webhook-notifier.ts";
import { postgresAlerts } from "./adapters/postgres/alerts/alerts.ts";
import { postgresPlatformAlerts } from "./adapters/postgres/alerts/platform-alerts.ts";
import { postgresAuditLog } from "./adapters/postgres/audit/audit-log.ts";
import { openDatabase } from "./adapters/postgres/client.ts";
import { postgresTenantKeys } from "./adapters/postgres/keys/tenant-keys.ts";
import { postgresChannels } from "./adapters/postgres/notices/channels.ts";
import { postgresDeadLetters } from "./adapters/postgres/notices/dead-letters.ts";
import { postgresDeliveries } from "./adapters/postgres/notices/deliveries.ts";
import { postgresOutageNotes } from "./adapters/postgres/outage-notes.ts";
import { postgresReadLeases } from "./adapters/postgres/read-leases.ts";
import { postgresRetention } from "./adapters/postgres/retention.ts";
import { postgresSpendBatches } from "./adapters/postgres/spend-batches.ts";
import { postgresLedgers } from "./adapters/postgres/tenants/ledgers.ts";
import { postgresOverrides } from "./adapters/postgres/tenants/overrides.ts";
import { postgresTenants } from "./adapters/postgres/tenants/tenants.ts";
import { upstashClaims } from "./adapters/redis/upstash-claims.ts";
import { type Config, readConfig } from "./config.ts";
import type { Tokens } from "./ports/policy.ts";
import type { Background, Ports } from "./ports/ports.ts";

/** A query takes milliseconds; longer means that the database is waking up or down. */
const POSTGRES_TIMEOUT_MS = 5_000;

/** Finds a change that took a waking database longer than that. With both, an administrator waits 13 s for a 503. */
const POSTGRES_LOOK_UP_TIMEOUT_MS = 8_000;

const memory = new IsolateMemory();
const breaker = new Breaker();
const channelBreakers = new IsolateBreakers();
const isolateKv = newIsolateKv();
const clock = () => Date.now();

let lastConfig: { env: Env; config: Config } | null = null;

/** Parses the environment once per isolate. @throws when it is invalid, so every request fails instead of guessing. */
function configOf(env: Env): Config {
  if (lastConfig?.env === env) return lastConfig.config;
  try {
    lastConfig = { env, config: readConfig(env) };
    return lastConfig.config;
  } catch (cause) {
    consoleLog.error("invalid configuration", cause);
    throw cause;
  }
}

export function connect(env: Env, execution: ExecutionContext): { ports: Ports; tokens: Tokens } {
  const config = configOf(env);
  return {
    ports: connectPorts(env, config, execution),
    tokens: {
      admin: config.adminTokens,
      read: config.readTokens,
      webhookSecrets: config.webhookSecrets,
      webhookUrl: config.webhookUrlTokens,
      events: config.eventsTokens,
      guardrail: config.guardrailTokens,
    },
  };
}

export function connectBatch(env: Env, execution: ExecutionContext): Ports {
  return connectPorts(env, configOf(env), execution);
}

function connectPorts(env: Env, config: Config, execution: ExecutionContext): Ports {
  const database = openDatabase({
    url: config.databaseUrl,
    endpoint: config.neonEndpoint,
    timeoutMs: POSTGRES_TIMEOUT_MS,
    patientTimeoutMs: POSTGRES_LOOK_UP_TIMEOUT_MS,
  });
  const background = backgroundOf(execution);
  const { litellmUrl: url, litellmMasterKey: masterKey } = config;
  const http = liteLlmHttp({ url, masterKey, breaker, clock, background });
  return {
    memory,
    snapshots: kvSnapshots(env.SNAPSHOTS, isolateKv, { log: consoleLog, timers: realTimers, clock, background }),
    tenants: postgresTenants(database),
    tenantKeys: postgresTenantKeys(database),
    overrides: postgresOverrides(database),
    spendBatches: postgresSpendBatches(database),
    ledgers: postgresLedgers(database),
    readLeases: postgresReadLeases(database),
    alerts: postgresAlerts(database),
    platformAlerts: postgresPlatformAlerts(database),
    outageNotes: postgresOutageNotes(database),
    deliveries: postgresDeliveries(database),
    channels: postgresChannels(database),
    audit: postgresAuditLog(database),
    retention: postgresRetention(database),
    deadLetters: postgresDeadLetters(database),
    litellm: liteLlmClient(http, clock, consoleLog),
    modelCalls: liteLlmCalls(config.litellmUrl),
    claims: upstashClaims({ url: config.redisUrl, token: config.redisToken }),
    spendQueue: queueSpend(env.SPEND_QUEUE),
    noticeQueue: queueNotices(env.NOTICES_QUEUE),
    replayQueues: replayQueues({ spend: env.SPEND_QUEUE, notices: env.NOTICES_QUEUE }),
    notifier: {
      slack: slackNotifier(config.policy),
      email: emailNotifier(config.email, env.EMAIL, config.policy),
      webhook: webhookNotifier(config.policy),
      pagerduty: pagerDutyNotifier(config.pagerDutyUrl, config.policy),
      teams: teamsNotifier(config.policy),
      discord: discordNotifier(config.policy),
    },
    channelBreakers,
    cipher: aesCipher(config.encryptionKeys),
    timers: realTimers,
    clock,
    background,
    log: consoleLog,
    policy: config.policy,
  };
}

function backgroundOf(execution: ExecutionContext): Background {
  return (what, work) => {
    const logged = work.catch((cause: unknown) => consoleLog.error(`${what} failed`, cause));
    execution.waitUntil(logged);
  };
}
