// Creates the empty PGlite cluster before the test files run, so that they do not all create one at once.

import { emptyCluster } from "../../../dev/postgres/empty-cluster.ts";

export async function setup(): Promise<void> {
  await emptyCluster();
}
