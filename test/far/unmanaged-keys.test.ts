// Keys of no tenant under a closed default, with healthy stores far away: nothing is broken, so they are answered as
// unmanaged, and the answer is remembered. A search for each call would be the bill of every call.

import { afterAll, beforeAll, expect, it } from "vitest";
import { send } from "../e2e/support/api.ts";
import { type FarBursar, startFarBursar } from "../e2e/support/far-bursar.ts";
import { ASK, ENDPOINTS, type Judged } from "./support/endpoints.ts";

let bursar: FarBursar;
beforeAll(async () => {
  bursar = await startFarBursar({ vars: { DEFAULT_FAIL_POLICY: "closed" } });
});
afterAll(() => bursar.stop());

async function unmanagedKey(): Promise<string> {
  const { litellmUrl, litellmMasterKey: token } = bursar.stack;
  return (await send("POST", `${litellmUrl}/key/generate`, { token, body: {} })).body.key;
}

it.each(ENDPOINTS)(
  "$name: answers as unmanaged from the second call on, without a search for each",
  async (endpoint) => {
    const right: Judged = endpoint === ASK ? "unknown" : "allowed";
    for (const { url } of bursar.isolates) {
      const key = await unmanagedKey();
      await endpoint.judge(url, key);
      await bursar.settled();
      const { postgres, litellm } = bursar.ways;
      postgres.clearRequests();
      litellm.clearRequests();
      const answers = [await endpoint.judge(url, key), await endpoint.judge(url, key), await endpoint.judge(url, key)];
      expect(answers).toEqual([right, right, right]);
      await bursar.settled();
      const reads = litellm.requests().filter(({ path }) => path.startsWith("/key/info"));
      expect([postgres.requests().length, reads.length]).toEqual([0, 0]);
    }
  },
);
