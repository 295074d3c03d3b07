// Lets many wire clients share PGlite's one session: decides whose message the session takes next.
// A client keeps the session from its first message until Postgres says it is idle outside a transaction, so neither
// the steps of one query nor those of one transaction ever mix with another client's. Knows no SQL but ROLLBACK.

import type { PGlite } from "@electric-sql/pglite";

type ClientId = number;
type Waiting = {
  client: ClientId;
  message: Uint8Array;
  onData: (data: Uint8Array) => void;
  done: (bytes: number) => void;
  failed: (error: Error) => void;
};

/** ReadyForQuery, five bytes of head and a status byte, ends the answer to a whole query. */
const readyForQuery = [0x5a, 0, 0, 0, 5];
const statusIdle = 0x49;
const terminate = 0x58;

const sync = Uint8Array.of(0x53, 0, 0, 0, 4);
const rollback = Uint8Array.from([0x51, 0, 0, 0, 13, ...Buffer.from("ROLLBACK\0")]);

/** Shaped as pglite-socket's handler wants its queue, whose own lets two clients' half queries mix. */
export class SessionQueue {
  readonly #db: PGlite;
  #waiting: Waiting[] = [];
  #holder: ClientId | null = null;
  #busyWith: ClientId | null = null;

  constructor(db: PGlite) {
    this.#db = db;
  }

  /** Resolves with the length of the answer once `onData` has had all of it. */
  enqueue(client: ClientId, message: Uint8Array, onData: (data: Uint8Array) => void): Promise<number> {
    // A goodbye has no answer, so it would hold the session until the socket closes.
    if (message[0] === terminate) return Promise.resolve(0);
    return new Promise((done, failed) => {
      this.#waiting.push({ client, message, onData, done, failed });
      void this.#work();
    });
  }

  clearQueueForHandler(client: ClientId): void {
    const gone = this.#waiting.filter((entry) => entry.client === client);
    this.#waiting = this.#waiting.filter((entry) => entry.client !== client);
    for (const entry of gone) entry.failed(new Error("the client has gone"));
  }

  /** A client that leaves in the middle of something is taken back to idle, so that the next one finds a clean session. */
  async clearTransactionIfNeeded(client: ClientId): Promise<void> {
    if (this.#holder !== client && this.#busyWith !== client) return;
    const nobody = () => {};
    try {
      await Promise.all([this.enqueue(client, sync, nobody), this.enqueue(client, rollback, nobody)]);
    } catch {
      // The session itself is gone: nothing is left to clean.
    }
  }

  async #work(): Promise<void> {
    if (this.#busyWith !== null) return;
    for (let entry = this.#next(); entry !== undefined; entry = this.#next()) {
      this.#busyWith = entry.client;
      try {
        const answer = await this.#exchange(entry);
        this.#holder = answer.idle ? null : entry.client;
        entry.done(answer.bytes);
      } catch (error) {
        this.#holder = null;
        entry.failed(error as Error);
      }
      this.#busyWith = null;
    }
  }

  #next(): Waiting | undefined {
    const holder = this.#holder;
    const index = holder === null ? 0 : this.#waiting.findIndex((entry) => entry.client === holder);
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  async #exchange({ message, onData }: Waiting): Promise<{ bytes: number; idle: boolean }> {
    let bytes = 0;
    let tail: number[] = [];
    const onRawData = (data: Uint8Array) => {
      bytes += data.length;
      tail = [...tail, ...data.subarray(-6)].slice(-6);
      onData(data);
    };
    await this.#db.runExclusive(() => this.#db.execProtocolRawStream(message, { onRawData }));
    const ready = readyForQuery.every((byte, at) => tail[at] === byte);
    return { bytes, idle: ready && tail[5] === statusIdle };
  }
}
