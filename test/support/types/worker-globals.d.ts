// The two globals of the Workers runtime that the HTTP side uses, for tests that run it in Node. The complete runtime
// types conflict with Node's types in URL and Buffer.

/** Only deps.ts reads its fields. */
interface Env {
  readonly [binding: string]: unknown;
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
  passThroughOnException(): void;
  readonly props: unknown;
}
