// Builds the same bundle as `npm run deploy`, for end-to-end tests and benchmarks. Deploys nothing.

import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WRANGLER = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));

const execute = promisify(execFile);

export interface Bundle {
  readonly dir: string;
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** Bundles `entry` (default: wrangler.toml's) into `dir`/worker.js. @throws Error with wrangler's output. */
export async function buildBundle(dir: string, entry?: string): Promise<Bundle> {
  mkdirSync(dir, { recursive: true });
  const target = entry === undefined ? [] : [entry];
  await execute(process.execPath, [WRANGLER, "deploy", ...target, "--dry-run", "--minify", "--outdir", dir], {
    cwd: ROOT,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  const script = readFileSync(join(dir, "worker.js"));
  return { dir, bytes: script.byteLength, gzipBytes: gzipSync(script).byteLength };
}
