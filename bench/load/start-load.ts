// Starts the load process, sends it one job at a time, and ends it by closing its channel.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadJob, LoadResult } from "./job.ts";

export interface Load {
  /** @throws Error when the load process dies. */
  fire(job: LoadJob): Promise<LoadResult>;
  stop(): Promise<void>;
}

export function startLoad(): Load {
  const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)));
  return {
    fire: (job) => runJob(child, job),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.disconnect();
      await ended;
    },
  };
}

function runJob(child: ChildProcess, job: LoadJob): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`the load process ended with ${code}`));
    child.once("exit", onExit);
    child.once("message", (result) => {
      child.off("exit", onExit);
      resolve(result as LoadResult);
    });
    child.send(job);
  });
}
