// The jobs that the benchmark sends to its load process, and the results. Types only.

export interface LoadRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** With one it is a POST of JSON. */
  readonly body?: string;
  /** The load process signs it before its clock starts; by Standard Webhooks each time under a new id. */
  readonly signed?: Signing;
}

export interface Signing {
  readonly scheme: "standard_webhooks" | "x_litellm_signature";
  readonly secret: string;
}

export interface LoadJob {
  readonly url: string;
  /** Dealt out to the connections one by one; each connection repeats its own when it has sent them all. */
  readonly requests: readonly LoadRequest[];
  /** At most so many at a time. */
  readonly connections: number;
  /** How long to go on; null sends every request once. */
  readonly seconds: number | null;
  /** Sends every request once, at a constant rate. The latency of an answer counts from the request's scheduled time. */
  readonly perSecond?: number;
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
