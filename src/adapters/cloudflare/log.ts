// Structured lines for Workers Logs. Callers pass ids and numbers only: no key, token, URL or prompt.

import type { Log } from "../../ports/ports.ts";

export const consoleLog: Log = {
  info: (event, fields) => console.log({ level: "info", event, ...fields }),
  warn: (event, fields) => console.warn({ level: "warn", event, ...fields }),
  error: (event, cause, fields) =>
    console.error({ level: "error", event, ...fields, ...(cause !== null && { cause: causes(cause) }) }),
};

/** The chain of causes, by name and message. Adapters keep secrets out of their messages. */
function causes(cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause;
  const own = `${cause.name}: ${cause.message}`;
  return cause.cause === undefined ? own : `${own} <- ${causes(cause.cause)}`;
}
