// The clock of the local stack's cron.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { sweepEveryMinute } from "../../dev/worker/sweeps.ts";

it("sweeps again and again, whatever the Worker answers, until it is stopped", async () => {
  const stopped = new AbortController();
  const paths: (string | undefined)[] = [];
  const worker = createServer((incoming, answer) => {
    paths.push(incoming.url);
    if (paths.length === 3) stopped.abort();
    answer.writeHead(500).end();
  });
  await new Promise<void>((resolve) => worker.listen(0, "127.0.0.1", resolve));
  await sweepEveryMinute(`http://127.0.0.1:${(worker.address() as AddressInfo).port}`, stopped.signal, 1);
  worker.close();
  expect(paths).toEqual(Array.from({ length: 3 }, () => "/__scheduled?cron=*+*+*+*+*"));
});
