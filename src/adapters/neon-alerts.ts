import type { Alerts } from "../ports.ts";
import type { Database } from "./neon-client.ts";

export function neonAlerts(_database: Database): Alerts {
  return {} as Alerts; // not built yet
}
