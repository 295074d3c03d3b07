import type { Policy } from "../policy.ts";
import type { Notifier } from "../ports.ts";

export function webhookNotifier(_policy: Policy): Notifier["webhook"] {
  return async () => ({ kind: "not_configured", why: "not built yet" });
}
