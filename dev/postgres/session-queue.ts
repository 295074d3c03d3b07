// Shares PGlite's single session among many wire clients: decides which client's message the session takes next.
// A client holds the session from its first message until Postgres reports that it is idle outside a transaction, so
// the messages of one query or transaction never mix with another client's. Sends no SQL of its own except ROLLBACK.

import type { PGlite } from "@electric-sql/pglite";

type ClientId = number;
type Waiting = {
  client: ClientId;
  message: Uint8Array;
  onData: (data: Uint8Array) => void;
  done: (bytes: number) => void;
  failed: (error: Error) => void;
};

/** ReadyForQuery ends the answer to a whole query: these five bytes, then a status byte. */
const readyForQuery = [0x5a, 0, 0, 0, 5];
const statusIdle = 0x49;
const terminate = 0x58;

const sync = Uint8Array.of(0x53, 0, 0, 0, 4);
const rollback = Uint8Array.from([0x51, 0, 0, 0, 13, ...Buffer.from("ROLLBACK\0")]);

/** Has the interface of pglite-socket's own queue, which mixes the messages of two clients' unfinished queries. */
export class SessionQueue {
  readonly #db: PGlite;
  #waiting: Waiting[] = [];
  #holder: ClientId | null = null;
  #busyWith: ClientId | null = null;

  constructor(db: PGlite) {
    this.#db = db;
  }

  /** Resolves with the length of the answer once `onData` has received all of it. */
  enqueue(client: ClientId, message: Uint8Array, onData: (data: Uint8Array) => void): Promise<number> {
    // Terminate has no answer, so it would hold the session until the socket closes.
    if (message[0] === terminate) return Promise.resolve(0);
    return new Promise((done, failed) => {
      this.#waiting.push({ client, message, onData, done, failed });
      void this.#work();
    });
  }

  clearQueueForHandler(client: ClientId): void {
    const gone = this.#waiting.filter((entry) => entry.client === client);
    this.#waiting = this.#waiting.filter((entry) => entry.client !== client);
    for (const entry of gone) entry.failed(new Error("the client disconnected"));
  }

  /** Rolls back what a client left unfinished when it disconnected, so that the next client finds an idle session. */
  async clearTransactionIfNeeded(client: ClientId): Promise<void> {
    if (this.#holder !== client && this.#busyWith !== client) return;
    const discard = () => {};
    try {
      await Promise.all([this.enqueue(client, sync, discard), this.enqueue(client, rollback, discard)]);
    } catch {
      // The session itself has ended, so there is nothing to roll back.
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
