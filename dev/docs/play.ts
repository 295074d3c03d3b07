// Plays a scenario against a running product. Runs each example in a shell, as a reader would paste it.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Product } from "./product.ts";
import { type Example, type Step, until, type Variables, type World } from "./steps.ts";

/** An example with its actual answer, before values that change per run are replaced. */
export interface Played {
  readonly name: string;
  /** Null for a request that Bursar sends. */
  readonly command: string | null;
  /** Status line, headers, an empty line, the body. */
  readonly answer: string;
}

const execute = promisify(execFile);

/** The variables that the page defines at its top. The addresses are those of the running product. */
export function variablesOf(product: Product): Variables {
  return {
    bursar: product.url,
    litellm: product.stack.litellmUrl,
    inbox: product.stack.inbox.url,
    admin: "Authorization: Bearer dev-admin-token",
    reader: "Authorization: Bearer dev-read-token",
    webhook_secret: "dev-webhook-secret",
    webhook_token: "dev-webhook-url-token",
    events_token: "dev-events-token",
    guardrail_token: "dev-guardrail-token",
  };
}

/** @throws Error naming the example that answered with an unexpected status. */
export async function play(
  product: Product,
  steps: readonly Step[],
): Promise<{ played: Played[]; variables: Variables }> {
  const world: World = { product, variables: variablesOf(product) };
  const played: Played[] = [];
  for (const step of steps) {
    if (typeof step === "function") await step(world);
    else if ("capture" in step) played.push({ name: step.name, command: null, answer: await step.capture(world) });
    else played.push(await playExample(step, world));
  }
  return { played, variables: world.variables };
}

async function playExample(
  { name, status, command, keeps, shows = "" }: Example,
  { variables }: World,
): Promise<Played> {
  const env = { PATH: process.env["PATH"], ...variables };
  let answer = "";
  await until(`${name} shows ${shows}`, async () => {
    answer = (await execute("sh", ["-c", command], { env })).stdout.replaceAll("\r\n", "\n");
    return split(answer)[0].toLowerCase().includes(shows.toLowerCase());
  });
  const [statusLine = ""] = answer.split("\n", 1);
  if (!statusLine.includes(` ${status} `)) throw new Error(`${name}: expected ${status}, got\n${answer}`);
  const [, body = ""] = split(answer);
  for (const [variable, path] of Object.entries(keeps)) variables[variable] = String(valueAt(JSON.parse(body), path));
  return { name, command, answer };
}

/** Head and body of an HTTP message. */
export function split(message: string): [head: string, body: string] {
  const end = message.indexOf("\n\n");
  return end < 0 ? [message, ""] : [message.slice(0, end), message.slice(end + 2)];
}

function valueAt(body: unknown, path: string): unknown {
  const value = path.split(".").reduce<unknown>((at, part) => (at as Record<string, unknown> | null)?.[part], body);
  if (value === undefined) throw new Error(`the answer has no ${path}`);
  return value;
}
