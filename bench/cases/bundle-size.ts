// Case: how large the Worker is that gets deployed. Size is start-up time.

import type { Bundle } from "../../dev/worker/build.ts";
import type { Row } from "../report.ts";

const TARGET_KIB = 150;

export function bundleSize({ bytes, gzipBytes }: Bundle): Row {
  const kib = gzipBytes / 1_024;
  return {
    group: "Bundle",
    name: "worker.js, minified",
    figures: { "gzip KiB": kib.toFixed(1), KiB: (bytes / 1_024).toFixed(1) },
    target: { text: `<= ${TARGET_KIB} KiB gzip`, met: kib <= TARGET_KIB },
  };
}
