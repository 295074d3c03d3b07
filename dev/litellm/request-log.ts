// Records the management requests that the simulator receives, so that a test can count reads.
// Must never hold a raw key, a header or a body; it stores keys as hashes.

import { isDict } from "./dict.ts";
import { keyHash } from "./state/rows.ts";

/** Enough for any test. Beyond it the log drops the oldest. */
const KEPT = 10_000;

export interface LoggedRequest {
  method: string;
  /** Without the query; a key in the path shows as `{key}`. */
  path: string;
  /** The hash of the key, when the request names one key. */
  keyHash?: string;
  /** The hashes of the keys, for `/v2/key/info`. */
  keyHashes?: string[];
  teamId?: string;
  /** ms, by the simulator's clock. */
  at: number;
}

export class RequestLog {
  #requests: LoggedRequest[] = [];

  async add(request: Request, at: number): Promise<void> {
    const url = new URL(request.url);
    const keyInPath = /^\/key\/([^/]+)\/reset_spend$/.exec(url.pathname)?.[1];
    const body: unknown = await request.json().catch(() => null);
    const fields = isDict(body) ? body : {};
    const key = keyInPath ?? url.searchParams.get("key") ?? fields["key"];
    const teamId = url.searchParams.get("team_id") ?? fields["team_id"];
    const keys = fields["keys"];
    this.#requests.push({
      method: request.method,
      path: keyInPath === undefined ? url.pathname : "/key/{key}/reset_spend",
      ...(typeof key === "string" ? { keyHash: keyHash(key) } : {}),
      ...(Array.isArray(keys) ? { keyHashes: keys.map((one) => keyHash(String(one))) } : {}),
      ...(typeof teamId === "string" ? { teamId } : {}),
      at,
    });
    if (this.#requests.length > KEPT) this.#requests.shift();
  }

  all(): LoggedRequest[] {
    return [...this.#requests];
  }

  clear(): void {
    this.#requests = [];
  }
}
