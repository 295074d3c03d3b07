// Case: how large the Worker is that gets deployed. Size is start-up time.

import type { Bundle } from "../../dev/worker/build.ts";
import type { Row } from "../report/report.ts";

/** 162 with Guard, Gate and a budget's life, 50 of them Neon's driver, which no bundler can thin; and room for small things. */
const TARGET_KIB = 170;

export function bundleSize({ bytes, gzipBytes }: Bundle): Row {
  const kib = gzipBytes / 1_024;
  return {
    group: "Bundle",
    name: "worker.js, minified",
    figures: { "gzip KiB": kib.toFixed(1), KiB: (bytes / 1_024).toFixed(1) },
    target: { text: `<= ${TARGET_KIB} KiB gzip`, met: kib <= TARGET_KIB },
  };
}
