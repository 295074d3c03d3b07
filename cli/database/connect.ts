// Opens the database of DATABASE_URL for the migration commands, and explains a failure. Never prints the URL, because
// it contains a password.

import pg from "pg";

export const DATABASE_URL_HELP = { DATABASE_URL: "the database, postgres://…; Neon's direct connection string" };

/** A failure that the operator can fix. Printed without a stack. */
export class CommandError extends Error {
  readonly exitCode: 1 | 2;
  constructor(message: string, exitCode: 1 | 2 = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs `work` on one connection and always closes it. @throws CommandError when it cannot connect. */
export async function withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const url = databaseUrl();
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 });
  // A lost connection already fails the running query. Without a listener the event would end the process with a stack.
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    throw new CommandError(`cannot reach the database at ${placeOf(url)}: ${reason(error)}`);
  }
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Host and database, such as `127.0.0.1:5432/bursar`. @throws CommandError when DATABASE_URL is missing or invalid. */
export function databasePlace(): string {
  return placeOf(databaseUrl());
}

/** Runs a command, prints its error and sets the exit code: the one that `command` returns, or 2 after most errors. */
export async function runCommand(command: () => Promise<0 | 1>): Promise<void> {
  try {
    process.exitCode = await command();
  } catch (error) {
    const isExplained = error instanceof CommandError || error instanceof pg.DatabaseError;
    console.error(isExplained ? error.message : error);
    process.exitCode = error instanceof CommandError ? error.exitCode : 2;
  }
}

function placeOf({ host, pathname }: URL): string {
  return `${host}${pathname}`;
}

function databaseUrl(): URL {
  const text = process.env["DATABASE_URL"];
  if (text === undefined || text === "") throw new CommandError("DATABASE_URL is not set");
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new CommandError("DATABASE_URL is not a postgres:// URL");
  }
  return url;
}

/** A host with several addresses fails with an AggregateError: an empty message and one error per address. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join("; ");
  return error instanceof Error ? error.message : String(error);
}
