// Types of kv-handler.js.

/** Operations on the namespace since the start, or since `DELETE /_counts`. */
export interface KvCounts {
  /** Reads of one key. */
  reads: number;
  /** Reads of several keys at once. */
  bulkReads: number;
  /** Keys in all reads, single and bulk: the number that Cloudflare bills. */
  keysRead: number;
  writes: number;
  deletes: number;
}

/**
 * Answers the KV protocol, and two more paths. `GET /_counts` returns the counts; `DELETE` resets them.
 * `GET /_entries` returns an object of keys and their text values; `PUT` adds entries.
 */
export type KvHandler = (request: Request) => Promise<Response>;

export function createKvHandler(now?: () => number): KvHandler;
