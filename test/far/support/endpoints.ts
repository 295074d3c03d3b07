// One question about a key through each endpoint that enforces a budget, at one isolate, and its answer in one word.

import { createHash } from "node:crypto";
import { send } from "../../e2e/support/api.ts";

export type Judged = "allowed" | "refused" | "suspended" | "unknown" | "undecided";

/** `undecided`: the fail policy answered, or LiteLLM's own limits did. */
export interface Endpoint {
  readonly name: string;
  /** `teamId`: the key's team, for LiteLLM names it to Guard. */
  judge(url: string, key: string, teamId?: string): Promise<Judged>;
}

export const hashOf = (key: string) => createHash("sha256").update(key).digest("hex");

const CHAT = { model: "mock", messages: [{ role: "user", content: "hello" }] };

const ofStatus = (status: number): Judged =>
  (({ 200: "allowed", 401: "unknown", 402: "refused", 403: "suspended" }) as const)[status] ?? "undecided";

export const ASK: Endpoint = {
  name: "Ask",
  async judge(url, key) {
    const { status, body } = await send("GET", `${url}/v1/budget`, { token: key });
    return body.source?.startsWith("fail_") ? "undecided" : ofStatus(status);
  },
};

/**
 * LiteLLM names the key by its hash, and leaves out the team of a key without one. Guard answers NONE to an unmanaged
 * key too.
 */
export const GUARD: Endpoint = {
  name: "Guard",
  async judge(url, key, teamId) {
    const { body } = await send("POST", `${url}/litellm/beta/litellm_basic_guardrail_api`, {
      headers: { "x-api-key": "dev-guardrail-token" },
      body: { texts: ["hi"], request_data: { user_api_key_hash: hashOf(key), user_api_key_team_id: teamId } },
    });
    if (body.action !== "BLOCKED") return "allowed";
    if (body.blocked_reason.startsWith("Budget exceeded")) return "refused";
    return body.blocked_reason.includes("suspended") ? "suspended" : "undecided";
  },
};

/** Gate passes on LiteLLM's own 401 for a key that LiteLLM does not know. */
export const GATE: Endpoint = {
  name: "Gate",
  async judge(url, key) {
    const headers = { "x-sim-cost": "0" };
    const { status } = await send("POST", `${url}/llm/v1/chat/completions`, { token: key, headers, body: CHAT });
    return ofStatus(status);
  },
};

export const ENDPOINTS = [ASK, GUARD, GATE] as const;
