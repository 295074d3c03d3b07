// The two globals of the Workers runtime that the HTTP side names, for tests that run it in Node.
// The whole of the runtime's types cannot be had beside Node's: they disagree about URL and Buffer.

/** Nothing outside deps.ts looks into it. */
interface Env {
  readonly [binding: string]: unknown;
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
  passThroughOnException(): void;
  readonly props: unknown;
}
