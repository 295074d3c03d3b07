import type { Deliveries } from "../ports.ts";
import type { Database } from "./neon-client.ts";

export function neonDeliveries(_database: Database): Deliveries {
  return {} as Deliveries; // not built yet
}
