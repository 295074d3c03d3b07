// Reads a key through the real LiteLLM client, and returns the result, the failed tries and the log.

import { liteLlmClient } from "../../../src/adapters/litellm/litellm-client.ts";
import { Breaker, liteLlmHttp } from "../../../src/adapters/litellm/litellm-http.ts";
import type { Instant } from "../../../src/budget/instant.ts";
import type { Subject } from "../../../src/budget/tenant.ts";
import type { Background, Log } from "../../../src/ports/ports.ts";
import type { LiteLlmFailure } from "../../../src/records/litellm-row.ts";
import { NOW } from "../../budget/builders.ts";
import { RecordedLog } from "../fakes/recorded-log.ts";
import { hashOf } from "./builders.ts";

export const KEY = { kind: "key", id: hashOf("a") } as const;
export const OK = [200, { info: { spend: 1 } }] as const;
export const BROKEN = [502, "<html>"] as const;

/** A client with a new breaker, unless the test passes one. */
export function clientOf(
  url: string,
  options: { clock?: () => Instant; breaker?: Breaker; masterKey?: string; log?: Log; background?: Background } = {},
) {
  const { clock = () => NOW, breaker = new Breaker(), masterKey = "sk-master", log = new RecordedLog() } = options;
  const background = options.background ?? (() => {});
  return liteLlmClient(liteLlmHttp({ url, masterKey, breaker, clock, background }), clock, log);
}

export async function readOnce(url: string, { tries = 1, subject = KEY }: { tries?: number; subject?: Subject }) {
  const [failures, log]: [LiteLlmFailure[], RecordedLog] = [[], new RecordedLog()];
  const onFailedTry = (failed: LiteLlmFailure) => void failures.push(failed);
  const result = await clientOf(url, { log }).readSubject(subject, { tries, onFailedTry });
  return { result, failures, lines: log.lines };
}
