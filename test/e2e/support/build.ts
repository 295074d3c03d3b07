// Builds the Worker once for all end-to-end tests, exactly as a deployment would.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The deployment to test instead of a stack of our own; Vite itself sets BASE_URL to "/". */
export function deployedAt(): string | null {
  const url = process.env["BASE_URL"] ?? "";
  return url.startsWith("http") ? url.replace(/\/+$/, "") : null;
}

/** Where the harness finds the built Worker. */
export const BUNDLE_DIR = fileURLToPath(new URL("../../../dist/e2e", import.meta.url));

export function setup(): void {
  if (deployedAt() !== null) return;
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
