// Sends requests at a constant rate, independent of the answers. Requests to a slow server pile up, as those of
// independent senders do. The latency of an answer counts from the request's scheduled time.

import { Agent, request as httpRequest } from "node:http";
import type { PreparedRequest } from "./prepare.ts";

export interface OpenLoop {
  readonly url: string;
  readonly requests: readonly PreparedRequest[];
  readonly perSecond: number;
  readonly connections: number;
  readonly timeoutMs: number;
}

/** How often due requests are sent. */
const TICK_MS = 1;

/** Resolves with the number of failed requests when every request was answered or has failed. */
export async function fireByClock(
  { url, requests, perSecond, connections, timeoutMs }: OpenLoop,
  onAnswer: (status: number, latencyMs: number) => void,
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(url);
  const sent: Promise<boolean>[] = [];
  const begunAt = performance.now();
  await new Promise<void>((resolve) => {
    const clock = setInterval(() => {
      const due = Math.min(requests.length, Math.ceil(((performance.now() - begunAt) / 1_000) * perSecond));
      for (let at = sent.length; at < due; at++) {
        const scheduledAt = begunAt + (at / perSecond) * 1_000;
        const each = requests[at];
        if (each !== undefined) sent.push(send(each, { agent, hostname, port, timeoutMs, scheduledAt }, onAnswer));
      }
      if (due < requests.length) return;
      clearInterval(clock);
      resolve();
    }, TICK_MS);
  });
  const answered = await Promise.all(sent);
  agent.destroy();
  return answered.filter((wasAnswered) => !wasAnswered).length;
}

interface Connection {
  readonly agent: Agent;
  readonly hostname: string;
  readonly port: string;
  readonly timeoutMs: number;
  readonly scheduledAt: number;
}

function send(
  { method, path, headers, body = "" }: PreparedRequest,
  { scheduledAt, timeoutMs, ...connection }: Connection,
  onAnswer: (status: number, latencyMs: number) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const withLength = { ...headers, "content-length": Buffer.byteLength(body) };
    const request = httpRequest({ ...connection, method, path, headers: withLength }, (response) => {
      response.resume();
      response.once("end", () => {
        onAnswer(response.statusCode ?? 0, performance.now() - scheduledAt);
        resolve(true);
      });
    });
    request.setTimeout(timeoutMs, () => request.destroy());
    request.once("error", () => resolve(false));
    request.end(body);
  });
}
