// The globals of the Workers runtime that queue consumers and producers use, for tests that run them in Node. Only the
// parts in use. worker-globals.d.ts has the reason why these are not the runtime's own types.

interface Message<Body = unknown> {
  readonly id: string;
  readonly timestamp: Date;
  readonly body: Body;
  readonly attempts: number;
  retry(options?: { delaySeconds?: number }): void;
  ack(): void;
}

interface MessageBatch<Body = unknown> {
  readonly queue: string;
  readonly messages: readonly Message<Body>[];
  retryAll(options?: { delaySeconds?: number }): void;
  ackAll(): void;
}

interface Queue<Body = unknown> {
  send(message: Body, options?: { contentType?: string; delaySeconds?: number }): Promise<unknown>;
  sendBatch(messages: Iterable<{ body: Body; contentType?: string; delaySeconds?: number }>): Promise<unknown>;
}
