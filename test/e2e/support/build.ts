// Builds the Worker once for all end-to-end tests, exactly as a deployment would.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Where the harness finds the built Worker. */
export const BUNDLE_DIR = fileURLToPath(new URL("../../../dist/e2e", import.meta.url));

export function setup(): void {
  if (process.env["BASE_URL"] !== undefined) return;
  execFileSync(
    process.execPath,
    ["node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run", "--outdir", BUNDLE_DIR],
    {
      cwd: ROOT,
      stdio: "pipe",
      env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    },
  );
}
