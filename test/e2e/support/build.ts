// Builds the Worker once for all end-to-end tests, exactly as a deployment would.

import { fileURLToPath } from "node:url";
import { buildBundle } from "../../../dev/worker/build.ts";

/** The deployment to test instead of a local stack. Vite itself sets BASE_URL to "/". */
export function deployedAt(): string | null {
  const url = process.env["BASE_URL"] ?? "";
  return url.startsWith("http") ? url.replace(/\/+$/, "") : null;
}

/** The directory of the built Worker. */
export const BUNDLE_DIR = fileURLToPath(new URL("../../../dist/e2e", import.meta.url));

export async function setup(): Promise<void> {
  if (deployedAt() === null) await buildBundle(BUNDLE_DIR);
}
