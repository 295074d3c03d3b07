import type { Audit } from "../ports.ts";
import type { Database } from "./neon-client.ts";

export function neonAuditLog(_database: Database): Audit {
  return {} as Audit; // not built yet
}
