// What the Upstash part needs of a Redis, embedded or real, and the words they share.
// Holds no connection and no data itself.

/** A command by its words: the name, then its arguments. */
export type Command = readonly [string, ...string[]];

export type Reply = { readonly result: unknown } | { readonly error: string };

export interface RedisStore {
  /** @throws CommandRefusedError when Redis says no; anything else thrown is an outage. */
  run(command: Command): Promise<unknown>;
  /**
   * All commands without another client's between them, one reply for each: a command that fails does not stop
   * the others. @throws CommandRefusedError when Redis discards the whole.
   */
  runTogether(commands: readonly Command[]): Promise<Reply[]>;
  open(): Promise<void>;
  close(): Promise<void>;
}

export class CommandRefusedError extends Error {}

/** Commands that belong to a connection, which a request does not have, or that would wait and hold up the others. */
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
