// A real Redis server for tests, on loopback, without persistence. Needs Redis installed on this machine.

import { spawn, spawnSync } from "node:child_process";
import getPort from "get-port";
import { Redis } from "ioredis";
import { endProcess, ServiceMissingError, untilReady } from "./process.ts";
import type { Service } from "./real-postgres.ts";

/** @throws ServiceMissingError when Redis is not installed on this machine. */
export async function startRealRedis(): Promise<Service> {
  if (spawnSync("redis-server", ["--version"]).error)
    throw new ServiceMissingError("Redis", "apt-get install redis-server");
  const port = await getPort({ host: "127.0.0.1" });
  const server = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    {
      stdio: "ignore",
    },
  );
  try {
    await untilReady("Redis", server, () => answersPing(port));
  } catch (error) {
    await endProcess(server, "SIGKILL");
    throw error;
  }
  return { url: `redis://127.0.0.1:${port}`, stop: () => endProcess(server, "SIGTERM") };
}

async function answersPing(port: number): Promise<boolean> {
  const client = new Redis({ port, host: "127.0.0.1", lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.ping()) === "PONG";
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
