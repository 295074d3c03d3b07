// A KV namespace that several workerd processes share, each through the colo it is in. Isolates of one colo share its
// copies; a colo for each isolate is the worst case. Keeps everything in memory.

import { type Part, startPart } from "../part.ts";
import { type ColoView, createColoView, type KvWrite, type ReadTimes, WriteLog } from "./colo-view.ts";
import { createKvHandler } from "./kv-handler.js";

export interface KvColos {
  /** Host and port of the namespace as a colo sees it. */
  addressIn(colo: string): string;
  /** The parts, one a colo, to break the way to KV. */
  readonly parts: readonly Part[];
  /** What the central store holds, past every copy. */
  get(key: string): Promise<string | null>;
  put(key: string, value: string): Promise<void>;
  /** The writes of every colo, refused ones too. */
  writes(): readonly KvWrite[];
  clearWrites(): void;
  /** The operations of every colo that are not answered yet. */
  inFlight(): number;
  setTimes(times: ReadTimes): void;
  /** Every colo reads the central store again. Also `DELETE /_copies` at a colo's address, for that colo. */
  clearCopies(): void;
  /** As if this time had passed for every copy. Also `PUT /_copies` with the milliseconds, for one colo. */
  ageCopies(ms: number): void;
  stop(): Promise<void>;
}

export async function startKvColos(colos: readonly string[], times: ReadTimes): Promise<KvColos> {
  const central = createKvHandler();
  const writes = new WriteLog(Date.now);
  let current = times;
  let inFlight = 0;
  const views = new Map<string, ColoView>();
  const parts = new Map<string, Part>();
  for (const colo of colos) {
    const view = createColoView({ colo, central, writes, times: () => current });
    views.set(colo, view);
    const handler = async (request: Request) => {
      if (isCopies(request)) return controlCopies(request, view);
      inFlight++;
      return view.handler(request).finally(() => inFlight--);
    };
    parts.set(colo, await startPart({ name: `KV in ${colo}`, port: 0, portVariable: "KV_PORT", handler }));
  }
  const entries = async (init?: RequestInit) =>
    (await (await central(new Request("http://kv/_entries", init))).json()) as Record<string, string>;
  return {
    addressIn(colo) {
      const part = parts.get(colo);
      if (part === undefined) throw new Error(`no such colo: ${colo}`);
      return `127.0.0.1:${part.port}`;
    },
    parts: [...parts.values()],
    get: async (key) => (await entries())[key] ?? null,
    async put(key, value) {
      await entries({ method: "PUT", body: JSON.stringify({ [key]: value }) });
    },
    writes: () => writes.all(),
    clearWrites: () => writes.clear(),
    inFlight: () => inFlight,
    setTimes(next) {
      current = next;
    },
    clearCopies() {
      for (const view of views.values()) view.clearCopies();
    },
    ageCopies(ms) {
      for (const view of views.values()) view.ageCopies(ms);
    },
    async stop() {
      for (const part of parts.values()) await part.stop();
    },
  };
}

function isCopies(request: Request): boolean {
  return new URL(request.url).pathname === "/_copies";
}

async function controlCopies(request: Request, view: ColoView): Promise<Response> {
  if (request.method === "PUT") view.ageCopies(Number(await request.text()));
  else view.clearCopies();
  return new Response(null);
}
