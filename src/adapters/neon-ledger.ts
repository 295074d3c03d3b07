import type { Ledger } from "../ports.ts";
import type { Database } from "./neon-client.ts";

export function neonLedger(_database: Database): Ledger {
  return {} as Ledger; // not built yet
}
