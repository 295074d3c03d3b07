// A real Postgres server for tests, on loopback, with its own data directory. Needs Postgres installed on this machine.

import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import getPort from "get-port";
import pg from "pg";
import { endProcess, ServiceMissingError, untilReady } from "./process.ts";

export interface Service {
  readonly url: string;
  stop(): Promise<void>;
}

/** Debian installs the server's programs here; they are not on the PATH. */
const DEBIAN = "/usr/lib/postgresql";

/** @throws ServiceMissingError when Postgres is not installed on this machine. */
export async function startRealPostgres(): Promise<Service> {
  const programs = findPrograms();
  const directory = mkdtempSync(join(tmpdir(), "bursar-postgres-"));
  const data = join(directory, "data");
  const user = unprivileged();
  if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
  // As Neon's databases are, whatever the locale of this machine.
  const encoding = ["--encoding=UTF8", "--locale=C.UTF-8"];
  execFileSync(join(programs, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", ...encoding], {
    ...user,
    cwd: directory,
    stdio: "pipe",
  });
  const port = await getPort({ host: "127.0.0.1" });
  const settings = [
    "-p",
    String(port),
    "-h",
    "127.0.0.1",
    "-k",
    directory,
    "-c",
    "fsync=off",
    "-c",
    "max_connections=200",
  ];
  const server = spawn(join(programs, "postgres"), ["-D", data, ...settings], {
    ...user,
    cwd: directory,
    stdio: "ignore",
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const stop = async (signal: NodeJS.Signals) => {
    await endProcess(server, signal);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilReady("Postgres", server, () => canConnect(url));
  } catch (error) {
    await stop("SIGKILL");
    throw error;
  }
  return { url, stop: () => stop("SIGINT") };
}

function findPrograms(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const onPath = (process.env["PATH"] ?? "").split(":");
  const found = [...versions.map((version) => join(DEBIAN, version, "bin")), ...onPath].find((directory) =>
    existsSync(join(directory, "initdb")),
  );
  if (found === undefined) throw new ServiceMissingError("Postgres", "apt-get install postgresql");
  return found;
}

/** Postgres refuses to run as root. Debian's package creates the user `postgres` for it. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "postgres"]).toString());
  return { uid: idOf("-u"), gid: idOf("-g") };
}

async function canConnect(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
