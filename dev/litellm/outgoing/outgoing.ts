// Every request that the simulator sends on its own, to receivers that can change while it runs.
// Must never delay a call, except for the guardrail, whose answer LiteLLM waits for.

import type { CallEvent } from "../calls/call-events.ts";
import type { Settings } from "../settings.ts";
import { ADMIN_USER, keyHash } from "../state/rows.ts";
import { AlertWebhook } from "./alert-webhook.ts";
import { alertsOfCheck, projectionOf, spendTracked, testAlert } from "./alerts.ts";
import { EventCallback } from "./event-callback.ts";
import { Guardrail } from "./guardrail.ts";
import { litellmClient, type PostRequest } from "./post.ts";
import type { Receivers } from "./receivers.ts";
import { SentLog } from "./sent-log.ts";

export class Outgoing {
  readonly sent = new SentLog();
  readonly guardrail: Guardrail;
  readonly #settings: Settings;
  readonly #webhook: AlertWebhook;
  readonly #events: EventCallback;
  readonly #inFlight = new Set<Promise<unknown>>();
  #shutdown = new AbortController();
  #client: ReturnType<typeof litellmClient>;

  constructor(settings: Settings) {
    const { now, random, behaviour } = settings;
    this.#settings = settings;
    this.#client = litellmClient(behaviour.version);
    const { sent } = this;
    const tools = { sent, now, behaviour, post: (request: PostRequest) => this.#client.post(request) };
    this.#webhook = new AlertWebhook({ ...tools, random, shutdown: () => this.#shutdown.signal });
    this.#events = new EventCallback({ ...tools, track: (sending) => this.#track(sending) });
    this.guardrail = new Guardrail(tools);
  }

  connect({ webhook, events, guardrail }: Receivers): void {
    if (webhook !== undefined) this.#webhook.receiver = webhook;
    if (events !== undefined) this.#events.connect(events);
    if (guardrail !== undefined) this.guardrail.receiver = guardrail;
  }

  handle(event: CallEvent): void {
    if (this.#shutdown.signal.aborted) return;
    if (event.kind === "call_authorized") {
      for (const alert of alertsOfCheck(event)) this.#track(this.#webhook.sendOnce(alert));
      return;
    }
    this.#events.add(event);
    if (event.kind === "call_refused") return;
    const { now, behaviour } = this.#settings;
    const projection = projectionOf(event, now(), behaviour);
    if (projection !== null) this.#track(this.#webhook.sendOnce(projection));
    const tracked = spendTracked(event);
    if (tracked !== null) this.#track(this.#webhook.sendAlways(tracked));
  }

  /** False: the receiver did not accept the alert. */
  sendTestAlert(): Promise<boolean> {
    return this.#webhook.sendOnce(testAlert(keyHash(this.#settings.masterKey), ADMIN_USER));
  }

  flushEvents(): Promise<void> {
    return this.#events.flush();
  }

  /** Resolves when every request in flight is answered. Does not wait for events collected for the next batch. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  /** Behaves like a crash of the process: drops pending requests and forgets which alerts were sent. */
  stop(): void {
    this.#shutdown.abort();
    this.#events.forget();
    this.#webhook.forget();
    this.#client.close();
  }

  restart(): void {
    this.#client = litellmClient(this.#settings.behaviour.version);
    this.#shutdown = new AbortController();
  }

  #track(sending: Promise<unknown>): void {
    this.#inFlight.add(sending);
    void sending.finally(() => this.#inFlight.delete(sending));
  }
}
