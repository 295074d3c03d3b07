// The ports of the local stack's parts, and the isolation of the embedded stores from each other.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startInbox } from "../../dev/inbox/start.ts";
import { startLitellm } from "../../dev/litellm/start.ts";
import { PortTakenError } from "../../dev/part.ts";
import { startPostgres } from "../../dev/postgres/start-postgres.ts";
import { startUpstash } from "../../dev/upstash/start-upstash.ts";
import { connect } from "../support/servers/postgres-backends.ts";

const occupier = createServer();
let taken = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => occupier.listen(0, "127.0.0.1", resolve));
  taken = (occupier.address() as { port: number }).port;
});
afterAll(() => new Promise((resolve) => occupier.close(resolve)));

it.each([
  ["POSTGRES_PORT", () => startPostgres({ port: taken, neonPort: 0 })],
  ["NEON_PORT", () => startPostgres({ port: 0, neonPort: taken })],
  ["UPSTASH_PORT", () => startUpstash({ port: taken, token: "t" })],
  ["LITELLM_PORT", () => startLitellm({ port: taken })],
  ["INBOX_PORT", () => startInbox(taken)],
])("names %s when its port is taken", async (variable, start) => {
  const error = await start().catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(PortTakenError);
  expect((error as Error).message).toContain(`port ${taken} is taken; set ${variable}`);
});

it("keeps the embedded Postgres between two starts on one data directory", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "postgres-"));
  const first = await startPostgres({ port: 0, neonPort: 0, dataDir });
  const writer = await connect(first.databaseUrl);
  await writer.query("create table kept as select 1 as n");
  await writer.end();
  await first.stop();

  const second = await startPostgres({ port: 0, neonPort: 0, dataDir });
  const reader = await connect(second.databaseUrl);
  expect((await reader.query("select n from kept")).rows).toEqual([{ n: 1 }]);
  await reader.end();
  await second.stop();
  await rm(dataDir, { recursive: true });
});

it("stops although a client has left a transaction open and a query waits behind it", async () => {
  const postgres = await startPostgres({ port: 0, neonPort: 0 });
  const idler = await connect(postgres.databaseUrl);
  idler.on("error", () => {});
  await idler.query("begin");
  const waiting = fetch(`${postgres.neon.url}/sql`, {
    method: "POST",
    headers: { "Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true" },
    body: `{"query":"select 1"}`,
  }).then(
    () => "answered",
    () => "cut off",
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  await postgres.stop();
  expect(await waiting).toBe("cut off");
});

it("keeps two embedded Redis apart, and each one's data through stop and restart", async () => {
  const [one, two] = await Promise.all([startUpstash({ port: 0, token: "t" }), startUpstash({ port: 0, token: "t" })]);
  const inOne = new Redis({ url: one.url, token: "t", enableTelemetry: false });
  const inTwo = new Redis({ url: two.url, token: "t", enableTelemetry: false });
  await inOne.set("key", "of one");
  expect(await inTwo.get("key")).toBeNull();
  await one.stop();
  await one.restart();
  expect(await inOne.get("key")).toBe("of one");
  await Promise.all([one.stop(), two.stop()]);
});
