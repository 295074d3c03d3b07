// OpenAI's and Anthropic's own Python SDKs, with Gate as their base URL and a virtual key. Nothing else is changed.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { GATE, newTenant, product, spend, untilAsked } from "./support/product.ts";

const SCRIPT = fileURLToPath(new URL("support/sdk_call.py", import.meta.url));

type Shown = { answer: string } | { error: string; status: number; shown: string };

async function callWith(sdk: string, how: string, key: string): Promise<Shown> {
  const { stdout } = await promisify(execFile)(product.sdkPython, [SCRIPT, sdk, how, GATE, key]);
  return JSON.parse(stdout);
}

const SDKS = ["openai", "anthropic"];

describe.each(SDKS)("the Python SDK %s with Gate as its base URL", (sdk) => {
  it.each(["whole", "streamed"])("shows the model's answer, %s", async (how) => {
    const { key } = await newTenant({ max_budget: 100 });
    expect(await callWith(sdk, how, key)).toEqual({ answer: "hello" });
  });
});

describe("the refusal of a blocked tenant, as an SDK shows it", () => {
  let tenantId: string;
  let key: string;
  beforeAll(async () => {
    ({ tenantId, key } = await newTenant({ max_budget: 0.5 }));
    await spend(GATE, key, 2);
    await untilAsked(key, ({ status }) => status === 402);
  }, 120_000);

  it.each(SDKS)("holds the words of the 402 (%s)", async (sdk) => {
    for (const how of ["whole", "streamed"]) {
      expect(await callWith(sdk, how, key)).toEqual({
        error: expect.any(String),
        status: 402,
        shown: expect.stringContaining(
          `Budget exceeded for tenant ${tenantId}. Current: $0.56, Limit: $0.50. Contact admin to increase budget.`,
        ),
      });
    }
  });
});
