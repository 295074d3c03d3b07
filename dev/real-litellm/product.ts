// Starts Bursar beside a real LiteLLM proxy whose configuration is the one that this Bursar answers, pasted.

import { litellmSetup, openInboxChannels } from "../connect.ts";
import type { StackSettings } from "../settings.ts";
import { startStack } from "../stack.ts";
import { sweepEveryMinute } from "../worker/sweeps.ts";
import { startWranglerDev } from "../worker/wrangler-dev.ts";
import { install, installSdks } from "./install.ts";
import { startProvider } from "./provider.ts";
import { chooseAddress, type RealLitellm, startRealLitellm } from "./proxy.ts";
import { startRelay } from "./relay.ts";
import { checkVersion } from "./versions.ts";

/** What the tests of test/real need to know. */
export interface Product {
  readonly version: string;
  /** The Worker. */
  readonly bursarUrl: string;
  /** Where LiteLLM reaches the Worker. */
  readonly relayUrl: string;
  readonly litellmUrl: string;
  readonly masterKey: string;
  /** A proxy of the same version that neither asks nor reports, for comparison. */
  readonly bareUrl: string;
  readonly bareMasterKey: string;
  readonly inboxUrl: string;
  /** A Python that has the SDKs of OpenAI and Anthropic. */
  readonly sdkPython: string;
}

export interface StartingProduct {
  readonly ready: Promise<Product>;
  /** Stops what has been started so far, also before `ready`. */
  stop(): Promise<void>;
}

const ANY_PORTS: StackSettings["ports"] = { worker: 0, litellm: 0, inbox: 0, postgres: 0, neon: 0, upstash: 0 };

/** A busy machine must not cause degraded answers. Shorter than the timeout of the guardrail. */
const PATIENT = { CHECK_DEADLINE_MS: "1500" };

export interface ProductOptions {
  readonly version: string;
  readonly bare: RealLitellm;
  readonly say: (line: string) => void;
}

export function startProduct(options: ProductOptions): StartingProduct {
  const stops: (() => unknown)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each();
  };
  const ready = start(options, stops).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { ready, stop };
}

async function start({ version, bare, say }: ProductOptions, stops: (() => unknown)[]): Promise<Product> {
  checkVersion(version);
  const sdkPython = installSdks(say);
  await install(version, say);
  const address = await chooseAddress();
  const settings = { ports: ANY_PORTS, databaseUrl: null, redisUrl: null, litellm: address };
  const stack = await startStack(settings);
  stops.push(() => stack.stop());
  const relay = await startRelay();
  stops.push(() => relay.stop());
  const { secrets, vars } = stack.environment;
  const environment = { secrets, vars: { ...vars, ...PATIENT } };
  const worker = await startWranglerDev(0, environment, { publicHost: new URL(relay.url).host });
  stops.push(() => worker.stop());
  relay.connect(worker.url);
  await openInboxChannels(worker.url, stack.inbox);

  const provider = await startProvider();
  stops.push(() => provider.stop());
  const pasted = await litellmSetup(worker.url);
  const proxy = startRealLitellm({ version, address, pasted, providerUrl: provider.url, say });
  stops.push(() => proxy.stop());
  await proxy.ready;
  const stopped = new AbortController();
  void sweepEveryMinute(worker.url, stopped.signal);
  stops.push(() => stopped.abort());
  return {
    version,
    bursarUrl: worker.url,
    relayUrl: relay.url,
    litellmUrl: address.url,
    masterKey: address.masterKey,
    bareUrl: bare.url,
    bareMasterKey: bare.masterKey,
    inboxUrl: stack.inbox.url,
    sdkPython,
  };
}
