// A provider on loopback that answers as the test sets it, and records calls with headers.

import { type Fault, type Part, startPart } from "../../../dev/part.ts";

export interface Call {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface Receiver extends Part {
  readonly calls: Call[];
  /** Sets the answer from now on, and ends any fault; 200 `ok` at first. A stream answers one call. */
  answers(status: number, body?: string | ReadableStream<Uint8Array>, headers?: Record<string, string>): void;
}

export const LOCAL = { allowsLocalTargets: true };
export const STRICT = { allowsLocalTargets: false };

/** For answers that come, on a busy machine too, and for answers that never come. */
export const PATIENT_MS = 30_000;
export const SHORT_MS = 300;

export const HANG: Fault = { kind: "hang" };

export async function startReceiver(): Promise<Receiver> {
  const calls: Call[] = [];
  let answer: ConstructorParameters<typeof Response> = ["ok"];
  const part = await startPart({
    name: "receiver",
    port: 0,
    portVariable: "none",
    async handler(request) {
      calls.push({ path: new URL(request.url).pathname, headers: request.headers, body: await request.text() });
      return new Response(...answer);
    },
  });
  return {
    ...part,
    calls,
    answers(status, body = "", headers = {}) {
      part.setFault(null);
      calls.length = 0;
      answer = [body === "" ? null : body, { status, headers }];
    },
  };
}
