// The Worker's entry points: requests, queue batches, cron. Wiring only.

import { createApp } from "./app.ts";
import { sweep } from "./cron/sweep.ts";
import { connect, connectBatch } from "./deps.ts";
import { consumeBatch } from "./queue/consume-batch.ts";

const app = createApp(connect);

export default {
  fetch: app.fetch,
  async queue(batch, env, execution) {
    await consumeBatch(batch, connectBatch(env, execution));
  },
  async scheduled(controller, env, execution) {
    await sweep({ now: controller.scheduledTime }, connectBatch(env, execution));
  },
} satisfies ExportedHandler<Env>;
