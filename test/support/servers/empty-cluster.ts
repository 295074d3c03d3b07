// Makes the empty PGlite cluster before any test file asks for it, so that they do not all make one at once.

import { emptyCluster } from "../../../dev/postgres/empty-cluster.ts";

export async function setup(): Promise<void> {
  await emptyCluster();
}
