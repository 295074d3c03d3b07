// Shared by the tests of Guard: a captured request, and the HTTP world that answers it.

import { readFileSync } from "node:fs";
import { GUARD_PATH } from "../../../src/http/litellm/guard.ts";
import { hashOf } from "../../support/builders/builders.ts";
import type { Answer } from "../../support/worlds/http-world.ts";
import { EndpointsWorld } from "./endpoints.ts";

export const TOKEN = { "x-api-key": "guardrail-token" };
export const NONE = { action: "NONE" };
/** The refusal of a closed fail policy while the spend is unknown. */
export const SPEND_UNKNOWN = "The spend is unknown, and the fail policy is closed.";
export const blocked = (reason: string) => ({ action: "BLOCKED", blocked_reason: reason });

export type Json = Record<string, unknown>;

/** A captured request. */
const CAPTURE: Json = JSON.parse(
  readFileSync(new URL("../../litellm/captures/guardrail-request.json", import.meta.url), "utf8"),
);

/** The same for another key or team. */
export function aQuestion(caller: Json = { user_api_key_hash: hashOf("a") }, differences: Json = {}): Json {
  return { ...CAPTURE, request_data: caller, ...differences };
}

export class GuardWorld extends EndpointsWorld {
  /** Sends text, bytes and streams unchanged. */
  guard(
    question: string | Uint8Array<ArrayBuffer> | ReadableStream | Json,
    headers: Record<string, string> = TOKEN,
  ): Promise<Answer> {
    const isRaw = typeof question === "string" || question instanceof Uint8Array || question instanceof ReadableStream;
    return this.post(GUARD_PATH, isRaw ? question : JSON.stringify(question), headers);
  }
}
