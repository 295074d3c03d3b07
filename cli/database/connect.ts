// Opens the database of DATABASE_URL for the migration commands, and says in words why it cannot.
// Never prints the URL itself: it holds a password.

import pg from "pg";

/** A reason to stop that is the operator's to mend: printed as it is, without a stack. */
export class CommandError extends Error {}

/** Runs `work` on one connection and always closes it. @throws CommandError when there is nothing to connect to. */
export async function withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const url = databaseUrl();
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 });
  // A connection lost in the middle fails the query under way; the event alone would end the process with a stack.
  client.on("error", () => {});
  try {
    await client.connect();
  } catch (error) {
    throw new CommandError(`cannot reach the database at ${url.host}${url.pathname}: ${reason(error)}`);
  }
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Prints what went wrong and sets the exit code: 1 as `command` returned it, 2 when it could not do its work. */
export async function runCommand(command: () => Promise<0 | 1>): Promise<void> {
  try {
    process.exitCode = await command();
  } catch (error) {
    const told = error instanceof CommandError || error instanceof pg.DatabaseError;
    console.error(told ? error.message : error);
    process.exitCode = 2;
  }
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

/** A host with several addresses fails with one error per address, and an empty message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join("; ");
  return error instanceof Error ? error.message : String(error);
}
