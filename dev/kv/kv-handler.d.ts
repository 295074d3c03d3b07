// Types of kv-handler.js.

/** What was asked of the namespace since the start, or since `DELETE /_counts`. */
export interface KvCounts {
  /** Reads of one key. */
  reads: number;
  /** Reads of several keys at once. */
  bulkReads: number;
  /** Keys in all reads together: what Cloudflare bills. */
  keysRead: number;
  writes: number;
  deletes: number;
}

/** Beside the protocol: `GET /_counts`, and `DELETE` to begin anew; `GET /_entries`, an object of keys and their texts, and `PUT` to add to it. */
export type KvHandler = (request: Request) => Promise<Response>;

export function createKvHandler(now?: () => number): KvHandler;
