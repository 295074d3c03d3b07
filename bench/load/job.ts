// The jobs that the benchmark sends to its load process, and the results. Types only.

export interface LoadRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. Makes the request a POST. */
  readonly body?: string;
  /** The load process signs the body before its clock starts. Standard Webhooks signatures get a new id each. */
  readonly signed?: Signing;
}

export interface Signing {
  readonly scheme: "standard_webhooks" | "x_litellm_signature";
  readonly secret: string;
}

export interface LoadJob {
  readonly url: string;
  /** Distributed to the connections in turn. A connection repeats its own requests when it has sent them all. */
  readonly requests: readonly LoadRequest[];
  /** The maximum of concurrent requests. */
  readonly connections: number;
  /** How long to send. Null sends every request once. */
  readonly seconds: number | null;
  /** Sends every request once, at this constant rate. Latencies count from a request's scheduled time. */
  readonly perSecond?: number;
}

export interface LoadResult {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The number of answers per status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Broken connections and time-outs. */
  readonly errors: number;
}
