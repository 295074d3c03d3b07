// Workers KV as one colo sees it: a value that was read is served from the colo's copy until the reader's `cacheTtl`
// has passed, a missing one too, whatever other colos have written since. A write shows at once where it was made.

import type { KvHandler } from "./kv-handler.js";

/** What the binding asks for when the caller names no `cacheTtl`. */
const DEFAULT_TTL_SECONDS = 60;

/** Cloudflare's limit on both plans. */
const WRITE_INTERVAL_MS = 1_000;

export interface ReadTimes {
  /** From the colo's copy, in milliseconds. */
  readonly hotMs: number;
  /** From the central store. */
  readonly coldMs: number;
}

export interface KvWrite {
  readonly key: string;
  readonly colo: string;
  readonly at: number;
  /** Answered 429: the key was written less than a second ago. */
  readonly isRefused: boolean;
}

/** The writes of every colo, and the rule that a key takes one a second. */
export class WriteLog {
  readonly #now: () => number;
  readonly #acceptedAt = new Map<string, number>();
  #writes: KvWrite[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** False when Cloudflare would refuse the write. */
  accept(key: string, colo: string): boolean {
    const at = this.#now();
    const isRefused = at - (this.#acceptedAt.get(key) ?? Number.NEGATIVE_INFINITY) < WRITE_INTERVAL_MS;
    if (!isRefused) this.#acceptedAt.set(key, at);
    this.#writes.push({ key, colo, at, isRefused });
    return !isRefused;
  }

  all(): readonly KvWrite[] {
    return this.#writes;
  }

  clear(): void {
    this.#writes = [];
  }
}

interface Copy {
  readonly text: string | null;
  fetchedAt: number;
}

export interface ColoView {
  readonly handler: KvHandler;
  clearCopies(): void;
  /** Makes each copy older, as if this time had passed. */
  ageCopies(ms: number): void;
}

export function createColoView(options: {
  colo: string;
  /** The handler of the central store. */
  central: KvHandler;
  writes: WriteLog;
  times: () => ReadTimes;
  now?: () => number;
  wait?: (ms: number) => Promise<unknown>;
}): ColoView {
  const { colo, central, writes, times } = options;
  const now = options.now ?? Date.now;
  const wait = options.wait ?? ((ms: number) => new Promise((resolve) => setTimeout(resolve, ms)));
  const copies = new Map<string, Copy>();

  const hasCopy = (key: string, ttlSeconds: number) => {
    const copy = copies.get(key);
    return copy !== undefined && now() - copy.fetchedAt < ttlSeconds * 1_000;
  };

  /** Takes the time of the slowest of the keys, as one request does. */
  async function read(keys: readonly string[], ttlSeconds: number): Promise<(string | null)[]> {
    const missing = keys.filter((key) => !hasCopy(key, ttlSeconds));
    await wait(missing.length === 0 ? times().hotMs : times().coldMs);
    for (const key of missing) copies.set(key, { text: await centralText(key), fetchedAt: now() });
    return keys.map((key) => copies.get(key)?.text ?? null);
  }

  async function centralText(key: string): Promise<string | null> {
    const response = await central(new Request(urlOf(key)));
    return response.ok ? response.text() : null;
  }

  async function readMany(request: Request): Promise<Response> {
    const { keys, type, cacheTtl } = (await request.json()) as BulkRead;
    const texts = await read(keys, Number(cacheTtl ?? DEFAULT_TTL_SECONDS));
    const values = texts.map((text) => (type === "json" && text !== null ? JSON.parse(text) : text));
    return Response.json(Object.fromEntries(keys.map((key, index) => [key, values[index]])));
  }

  async function readOne(key: string, ttlSeconds: number): Promise<Response> {
    const [text = null] = await read([key], ttlSeconds);
    return text === null ? new Response("Not Found", { status: 404 }) : new Response(text);
  }

  async function write(key: string, request: Request): Promise<Response> {
    const text = request.method === "PUT" ? await request.clone().text() : null;
    await wait(times().coldMs);
    if (!writes.accept(key, colo)) return new Response("Too Many Requests", { status: 429 });
    const answer = await central(request);
    if (answer.ok) copies.set(key, { text, fetchedAt: now() });
    return answer;
  }

  return {
    async handler(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/_counts" || pathname === "/_entries") return central(request);
      if (request.method === "POST" && pathname === "/bulk/get") return readMany(request);
      const key = decodeURIComponent(pathname.slice(1));
      if (request.method !== "GET") return write(key, request);
      return readOne(key, Number(searchParams.get("cache_ttl") ?? DEFAULT_TTL_SECONDS));
    },
    clearCopies: () => copies.clear(),
    ageCopies(ms) {
      for (const copy of copies.values()) copy.fetchedAt -= ms;
    },
  };
}

interface BulkRead {
  readonly keys: readonly string[];
  readonly type?: string;
  readonly cacheTtl?: number | string;
}

const urlOf = (key: string) => `http://kv/${encodeURIComponent(key)}`;
