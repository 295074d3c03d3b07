import type { Policy } from "../policy.ts";
import type { Notifier } from "../ports.ts";

export function slackNotifier(_policy: Policy): Notifier["slack"] {
  return async () => ({ kind: "not_configured", why: "not built yet" });
}
