// Calls a LiteLLM proxy over HTTP, the simulator or a real one, and compares answers with captures. Must not use any
// feature of the simulator that a real proxy lacks.

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Behaviour, behaviourOf, isProfile, type LitellmProfile, profileOf } from "../../dev/litellm/profiles.ts";
import { type Litellm, startLitellm } from "../../dev/litellm/start.ts";

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the body of any endpoint; tests assert what they read of it
  body: any;
  headers: Headers;
}

export interface Client {
  url: string;
  masterKey: string;
  /** A management call with the master key, or with `key`. */
  call(method: "GET" | "POST", path: string, body?: unknown, key?: string): Promise<Answer>;
  /** A model call. Only the simulator uses `cost`. */
  chat(key: string, options?: { cost?: number; body?: Record<string, unknown> }): Promise<Answer>;
  /** Creates a key with a random name, and returns the raw key. */
  newKey(fields?: Record<string, unknown>): Promise<string>;
  info(key: string): Promise<Answer["body"]>;
}

/** The model that a real proxy must serve; the simulator serves any. */
const MODEL = process.env["LITELLM_MODEL"] ?? "mock";

export function clientOf(proxy: { url: string; masterKey: string }): Client {
  const { url, masterKey } = proxy;
  const client: Client = {
    url,
    masterKey,
    call: (method, path, body, key = masterKey) => send(url + path, method, { authorization: `Bearer ${key}` }, body),
    chat(key, { cost, body } = {}) {
      const headers = { authorization: `Bearer ${key}`, ...(cost === undefined ? {} : { "x-sim-cost": String(cost) }) };
      const messages = [{ role: "user", content: "hi" }];
      return send(`${url}/v1/chat/completions`, "POST", headers, { model: MODEL, messages, ...body });
    },
    async newKey(fields = {}) {
      const key = `sk-contract-${randomUUID()}`;
      const { status, body } = await client.call("POST", "/key/generate", { key, ...fields });
      if (status !== 200) throw new Error(`no key: ${JSON.stringify(body)}`);
      return key;
    },
    async info(key) {
      return (await client.call("GET", `/key/info?key=${hashOf(key)}`)).body.info;
    },
  };
  return client;
}

export async function send(url: string, method: string, headers: Record<string, string>, body?: unknown) {
  const json = { "content-type": "application/json", ...headers };
  const init = body === undefined ? { headers } : { headers: json, body: JSON.stringify(body) };
  const response = await fetch(url, { method, ...init });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

interface Target {
  client: Client;
  /** What this version of LiteLLM does. */
  behaviour: Behaviour;
  stop: () => Promise<void>;
}

/** The simulator with `LITELLM_PROFILE`, or the proxy at `LITELLM_URL` with `LITELLM_MASTER_KEY`. */
export async function startTarget(): Promise<Target> {
  const url = process.env["LITELLM_URL"]?.replace(/\/$/, "");
  const masterKey = process.env["LITELLM_MASTER_KEY"];
  if (url !== undefined && masterKey !== undefined) {
    const client = clientOf({ url, masterKey });
    return { client, behaviour: behaviourOf(profileOf(await versionOf(client))), stop: async () => {} };
  }
  const profile = profileFrom(process.env["LITELLM_PROFILE"]);
  const simulator: Litellm = await startLitellm({ databaseDelayMs: 2_000, callMs: 1, profile });
  return { client: clientOf(simulator), behaviour: behaviourOf(profile), stop: simulator.stop };
}

function profileFrom(text = "1.81"): LitellmProfile {
  if (!isProfile(text)) throw new Error(`LITELLM_PROFILE=${text} is no profile of the simulator`);
  return text;
}

/** LiteLLM names its version beside every model call. */
async function versionOf(client: Client): Promise<string> {
  const { status, headers } = await client.chat(client.masterKey);
  const version = headers.get("x-litellm-version");
  if (version === null) throw new Error(`${client.url} does not name its version beside a call; it answers ${status}`);
  return version;
}

/** LiteLLM writes spend to its database within 15 s, and up to 23 s were seen. */
export const SPEND_WRITTEN = { timeout: 40_000, interval: 50 };

export function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

export function captured(name: string): Answer["body"] {
  return JSON.parse(readFileSync(new URL(`./captures/${name}.json`, import.meta.url), "utf8"));
}

/** The fields of a body in their order, each with its JSON type. */
export function typedShapeOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [`${path}: ${value === null ? "null" : typeof value}`];
  const brackets = Array.isArray(value) ? "[]" : "{}";
  return [
    `${path}: ${brackets}`,
    ...Object.entries(value).flatMap(([name, inner]) => typedShapeOf(inner, `${path}.${name}`)),
  ];
}

/** The fields of `wanted` that `body` lacks. Later versions add fields and drop none. */
export function missingFields(wanted: unknown, body: unknown): string[] {
  const present = new Set(shapeOf(body));
  return shapeOf(wanted).filter((path) => !present.has(path));
}

/** The fields of a body, nested ones by path. */
function shapeOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => shapeOf(inner, `${path}.${name}`))].sort();
}
