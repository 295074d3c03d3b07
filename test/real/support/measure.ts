// What Guard adds to a call: the same call through the proxy with Bursar's configuration and through one without, in
// turns, so that a busy machine slows both.

import { randomUUID } from "node:crypto";
import { send } from "../../e2e/support/api.ts";
import { chat, DIRECT, GUARD_PATH, product, relayedSince } from "./product.ts";

const WARM_UP = 30;
const CALLS = 200;

/** LiteLLM answers it itself, so that no provider is measured. */
const MOCKED = { model: "mock" };

export async function compareGuard(key: string): Promise<string[]> {
  const { bareUrl } = product;
  const bareKey = await aBareKey();
  let measuredSince = 0;
  const took = { without: [] as number[], with: [] as number[] };
  for (let turn = 0; turn < WARM_UP + CALLS; turn++) {
    const without = await timed(() => chat(bareUrl, bareKey, MOCKED));
    const withGuard = await timed(() => chat(DIRECT, key, MOCKED));
    if (turn < WARM_UP) continue;
    measuredSince ||= Date.now();
    took.without.push(without);
    took.with.push(withGuard);
  }
  const line = (name: string, share: number) => {
    const [bare, guarded] = [quantile(took.without, share), quantile(took.with, share)];
    const ratio = (guarded / bare).toFixed(2);
    return `${name} of a call: ${bare.toFixed(1)} ms without Guard, ${guarded.toFixed(1)} ms with it (× ${ratio}, + ${(guarded - bare).toFixed(1)} ms)`;
  };
  const answers = (await relayedSince(measuredSince)).filter(({ path }) => path === GUARD_PATH);
  const own = answers.map(({ tookMs }) => tookMs);
  const share = `Guard's own answer, under wrangler dev: p50 ${quantile(own, 0.5).toFixed(1)} ms, p95 ${quantile(own, 0.95).toFixed(1)} ms`;
  return [line("p50", 0.5), line("p95", 0.95), share];
}

async function aBareKey(): Promise<string> {
  const key = `sk-${randomUUID()}`;
  const url = `${product.bareUrl}/key/generate`;
  // A budget, as the tenant's key has one.
  const { status } = await send("POST", url, { token: product.bareMasterKey, body: { key, max_budget: 10_000 } });
  if (status !== 200) throw new Error(`the proxy without Guard made no key: ${status}`);
  return key;
}

async function timed(call: () => Promise<{ status: number }>): Promise<number> {
  const begunAt = performance.now();
  const { status } = await call();
  if (status !== 200) throw new Error(`a measured call was answered ${status}`);
  return performance.now() - begunAt;
}

/** The nearest rank. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
}
