// What the tests of Guard share: LiteLLM's own question, and the HTTP side that it is put to.

import { readFileSync } from "node:fs";
import { GUARD_PATH } from "../../../src/http/litellm/guard.ts";
import { hashOf } from "../../support/builders.ts";
import type { Answer } from "../../support/http-world.ts";
import { EndpointsWorld } from "./endpoints.ts";

export const TOKEN = { "x-api-key": "guardrail-token" };
export const NONE = { action: "NONE" };
/** What a closed policy says of a spend that cannot be read. */
export const SPEND_UNKNOWN = "The spend cannot be read at the moment, and the tenant's policy is to wait until it can.";
export const blocked = (reason: string) => ({ action: "BLOCKED", blocked_reason: reason });

export type Json = Record<string, unknown>;

/** A question of LiteLLM's own. */
const CAPTURE: Json = JSON.parse(
  readFileSync(new URL("../../litellm/captures/guardrail-request.json", import.meta.url), "utf8"),
);

/** The same about the call of another key, or of a team. */
export function aQuestion(caller: Json = { user_api_key_hash: hashOf("a") }, differences: Json = {}): Json {
  return { ...CAPTURE, request_data: caller, ...differences };
}

export class GuardWorld extends EndpointsWorld {
  /** Text, bytes and streams go as they are. */
  guard(
    question: string | Uint8Array<ArrayBuffer> | ReadableStream | Json,
    headers: Record<string, string> = TOKEN,
  ): Promise<Answer> {
    const isRaw = typeof question === "string" || question instanceof Uint8Array || question instanceof ReadableStream;
    return this.post(GUARD_PATH, isRaw ? question : JSON.stringify(question), headers);
  }
}
