// The failures of one invocation of a consumer: calls that fail, answers that are lost, and its death. Random, without
// the failures that no sender can recover from, which exactly-once.test.ts lists.

import { slackMessage } from "../../src/notices/providers/slack.ts";
import { Outage } from "../../src/ports/outage.ts";
import type { Ports } from "../../src/ports/ports.ts";
import { failure } from "../../src/ports/result.ts";
import type { DeliveryKey, Dispatch } from "../../src/records/delivery.ts";
import type { SeededRandom } from "../support/builders/seeded-random.ts";
import { AWAY } from "../support/fakes/fake-litellm.ts";
import { failed } from "../support/fakes/fake-notifier.ts";
import { Killed } from "../support/faults/killed-after.ts";
import type { Turns } from "../support/faults/turns.ts";

/** A batch makes from a few to some thousand calls, so an invocation may end before it would die. */
const DEATH = 0.12;
const LATEST_DEATH = 80;

const FAILS_BEFORE = 0.02;
const ANSWER_IS_LOST = 0.02;
const PROVIDER_FAILS = 0.08;

/** The ports with I/O. */
const OUTSIDE = [
  ...(["tenants", "spendBatches", "ledgers", "alerts", "deliveries", "deadLetters", "litellm", "claims"] as const),
  ...(["snapshots", "spendQueue", "noticeQueue", "notifier", "cipher"] as const),
];

export interface Counts {
  failedBefore: number;
  answersLost: number;
  providerFailures: number;
  deaths: number;
}

export interface Surroundings {
  readonly turns: Turns;
  /** Null for an invocation without failures. */
  readonly random: SeededRandom | null;
  readonly counts: Counts;
  /** Notices that Slack has accepted and that Postgres has not recorded as sent. */
  readonly unrecorded: Set<string>;
  /** Makes the provider refuse the next call of this kind. */
  refuseNext(kind: "slack" | "email" | "webhook", status: 429 | 500): void;
  /** The URL of a Slack channel; null for any other channel. */
  slackUrlOf(channelId: string): string | null;
  /** How many messages of this delivery are being handled now. */
  inHand(key: DeliveryKey): number;
}

type Call = { readonly port: string; readonly verb: string; readonly inputs: readonly unknown[] };
type Work = () => Promise<unknown>;

export class Process {
  readonly ports: Ports;
  #hasDied = false;
  #calls = 0;
  readonly #diesAt: number;
  readonly #around: Surroundings;
  /** The delivery of each call of Slack, because the call itself does not name it. */
  readonly #slackNotices = new Map<string, string>();
  /** Deliveries that Slack has accepted and that neither Redis nor Postgres has recorded. */
  readonly #unnoted = new Set<string>();

  constructor(ports: Ports, around: Surroundings) {
    const { random } = around;
    this.#around = around;
    this.#diesAt = random?.chance(DEATH) ? 1 + random.below(LATEST_DEATH) : Number.POSITIVE_INFINITY;
    const wrapped = OUTSIDE.map((name) => [name, this.#wrap(name, ports[name])]);
    this.ports = { ...ports, ...Object.fromEntries(wrapped) };
  }

  get hasDied(): boolean {
    return this.#hasDied;
  }

  #wrap(port: string, whole: object): object {
    return new Proxy(whole, {
      get: (target, verb) => {
        const work: unknown = Reflect.get(target, verb);
        if (typeof work !== "function" || typeof verb !== "string") return work;
        return (...inputs: unknown[]) =>
          this.#around.turns.take(() => this.#meet({ port, verb, inputs }, async () => work.apply(target, inputs)));
      },
    });
  }

  async #meet(call: Call, work: Work): Promise<unknown> {
    if (this.#hasDied) throw new Killed();
    if (++this.#calls >= this.#diesAt && this.#unnoted.size === 0) return this.#die(call, work);
    const answer = await (call.port === "notifier" ? this.#offer(call, work) : this.#try(call, work));
    if (call.port === "deliveries" && call.verb === "load")
      for (const dispatch of answer as Dispatch[]) this.#noteDispatch(dispatch);
    return answer;
  }

  async #die(call: Call, work: Work): Promise<never> {
    this.#hasDied = true;
    this.#around.counts.deaths++;
    if (call.verb !== "slack" && this.#around.random?.chance(0.5)) {
      await work();
      this.#noteEffect(call);
    }
    throw new Killed();
  }

  async #try(call: Call, work: Work): Promise<unknown> {
    const { random, counts } = this.#around;
    const mayFail = !this.#isSpared(call);
    if (mayFail && random?.chance(FAILS_BEFORE)) {
      counts.failedBefore++;
      if (call.port === "litellm") return failure(AWAY);
      throw new Outage("queue", "no effect", null);
    }
    const answer = await work();
    this.#noteEffect(call);
    if (mayFail && random?.chance(ANSWER_IS_LOST)) {
      counts.answersLost++;
      throw new Outage("queue", "an effect, and no answer", null);
    }
    return answer;
  }

  async #offer({ verb, inputs }: Call, work: Work): Promise<unknown> {
    const { random, counts, refuseNext } = this.#around;
    const kind = verb as "slack" | "email" | "webhook";
    if (random?.chance(PROVIDER_FAILS)) {
      counts.providerFailures++;
      if (random.chance(0.3)) return failed("network");
      refuseNext(kind, random.pick([429, 500]));
    }
    const outcome = (await work()) as { kind: string };
    if (kind === "slack") {
      const notice = this.#slackNotices.get(JSON.stringify(inputs));
      if (notice === undefined) throw new Error("a notice that nobody has loaded");
      if (outcome.kind === "sent") {
        this.#unnoted.add(notice);
        this.#around.unrecorded.add(notice);
      }
    } else if (random?.chance(PROVIDER_FAILS)) {
      counts.providerFailures++;
      return failed("no answer in time");
    }
    return outcome;
  }

  /** Decryption makes no I/O, and a consumer that cannot claim a notice in Redis sends without the claim. */
  #isSpared({ port, verb, inputs }: Call): boolean {
    if (port !== "claims" || verb !== "claimNotice") return port === "cipher";
    const key = inputs[0] as DeliveryKey;
    const { slackUrlOf, inHand, unrecorded } = this.#around;
    return slackUrlOf(key.channelId) !== null && (inHand(key) > 1 || unrecorded.has(nameOf(key)));
  }

  #noteDispatch(dispatch: Dispatch): void {
    const url = this.#around.slackUrlOf(dispatch.channel.id);
    if (url === null) return;
    this.#slackNotices.set(JSON.stringify([url, slackMessage(dispatch)]), nameOf(dispatch.delivery));
  }

  #noteEffect({ port, verb, inputs }: Call): void {
    const isRecord = port === "deliveries" && verb === "end";
    if (!isRecord && !(port === "claims" && verb === "noteNoticeSent")) return;
    const notice = nameOf(inputs[0] as DeliveryKey);
    this.#unnoted.delete(notice);
    if (isRecord) this.#around.unrecorded.delete(notice);
  }
}

const nameOf = ({ alertId, channelId }: DeliveryKey): string => `${alertId} ${channelId}`;
