// The Workers' globals that queue consumers and producers name, for tests that run them in Node. As much of them as is
// used; worker-globals.d.ts says why they are not the runtime's own.

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
