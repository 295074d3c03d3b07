// The program that prisma-client-py starts as its query engine, with `-p <port>`. It asks the version once before.
// Ends with its parent: LiteLLM may be killed without stopping it.

import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { answerRequest } from "./answer-request.ts";
import { connectDatabase } from "./database.ts";

/** Longer than any pause of prisma-client-py's connection pool, so that it never writes to a closed connection. */
const KEEP_ALIVE_MS = 120_000;
const PARENT_CHECK_MS = 2_000;

/** prisma-client-py sets these: the schema's path, and the URL of the database unless DATABASE_URL has it. */
function databaseUrlFrom(env: NodeJS.ProcessEnv): string {
  const overwritten = env["OVERWRITE_DATASOURCES"];
  if (!overwritten) return env["DATABASE_URL"] ?? "";
  return (JSON.parse(overwritten) as { url: string }[])[0]?.url ?? "";
}

function serve(port: number): void {
  const database = connectDatabase(databaseUrlFrom(process.env), process.env["PRISMA_DML_PATH"] ?? "");
  database.catch((error: unknown) => {
    console.error("query engine:", error);
    process.exit(1);
  });
  let requests = 1;
  const server = createServer((request, response) => {
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const answer = async () => {
      requests += 1;
      const id = String(requests);
      const transactionId = request.headers["x-transaction-id"];
      return answerRequest(
        {
          method: request.method ?? "",
          path: request.url ?? "",
          body: await text(request),
          transactionId: typeof transactionId === "string" ? transactionId : undefined,
          id,
        },
        await database,
      );
    };
    answer().then(
      (body) => (body === null ? send(404, { error: "no such path" }) : send(200, body)),
      (error: unknown) => {
        console.error("query engine:", error);
        send(500, { error: error instanceof Error ? error.message : String(error) });
      },
    );
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(port, "127.0.0.1");

  const parent = process.ppid;
  const stop = () => {
    server.closeAllConnections();
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  // An orphan is adopted by another process.
  setInterval(() => {
    if (process.ppid !== parent) stop();
  }, PARENT_CHECK_MS).unref();
}

if (process.argv.includes("--version")) console.log("query-engine webassembly");
else serve(Number(process.argv[process.argv.indexOf("-p") + 1]));
