// What the benchmark asks of its load process, and what it hears back. Types only.

export interface LoadRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadJob {
  readonly url: string;
  /** Dealt out to the connections one by one; each connection repeats its own when it has sent them all. */
  readonly requests: readonly LoadRequest[];
  readonly connections: number;
  /** How long to go on; null sends every request once. */
  readonly seconds: number | null;
}

export interface LoadResult {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How often each status came. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Connections broken and time-outs. */
  readonly errors: number;
}
