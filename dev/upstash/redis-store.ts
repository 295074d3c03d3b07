// The Redis interface that the Upstash part needs, for the embedded and the real Redis, and the commands both refuse.
// Holds no connection and no data.

/** A command: its name, then its arguments. */
export type Command = readonly [string, ...string[]];

export type Reply = { readonly result: unknown } | { readonly error: string };

export interface RedisStore {
  /** @throws CommandRefusedError when Redis refuses the command; any other error is an outage. */
  run(command: Command): Promise<unknown>;
  /**
   * Runs all commands with no other client's command between them. Returns one reply per command; a command that fails
   * does not stop the others. @throws CommandRefusedError when Redis discards the transaction.
   */
  runTogether(commands: readonly Command[]): Promise<Reply[]>;
  open(): Promise<void>;
  close(): Promise<void>;
}

export class CommandRefusedError extends Error {}

/** Commands that need a connection, which an HTTP request does not have, or that block and would delay the others. */
const connectionCommands = new Set([
  ...["auth", "client", "hello", "quit", "reset", "select", "multi", "exec", "discard", "watch", "unwatch"],
  ...["subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor"],
  ...["blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "wait", "waitaof"],
  ...["shutdown", "replicaof", "slaveof", "sync", "psync", "debug", "failover"],
]);

export function refuseConnectionCommand([name]: Command): void {
  if (connectionCommands.has(name.toLowerCase())) throw notAvailable(name);
}

export function notAvailable(name: string): CommandRefusedError {
  return new CommandRefusedError(`ERR Command is not available: '${name.toUpperCase()}'`);
}
