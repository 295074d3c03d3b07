import type { EmailProvider, Policy } from "../policy.ts";
import type { Notifier } from "../ports.ts";

export function emailNotifier(
  _provider: EmailProvider,
  _binding: SendEmail | undefined,
  _policy: Policy,
): Notifier["email"] {
  return async () => ({ kind: "not_configured", why: "not built yet" });
}
