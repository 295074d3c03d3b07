// Agents' requests to Ask, Guard and Gate in each state of a budget.

import { alertsAreDelivered, example, type Step, spent } from "../steps.ts";

const ASK = `curl -i "$bursar/v1/budget" -H "Authorization: Bearer $virtual_key"`;
const ASK_NOW = `${ASK} \\
  -H 'Cache-Control: no-cache'`;

const GUARD = `curl -i "$bursar/litellm/beta/litellm_basic_guardrail_api" -H "x-api-key: $guardrail_token" \\
  -d '{"texts": ["hello"], "request_data": {"user_api_key_hash": "'$key_hash'"}}'`;

const GATE = `curl -i "$bursar/llm/v1/chat/completions" -H "Authorization: Bearer $virtual_key" \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "mock", "messages": [{"role": "user", "content": "hello"}]}'`;

export const AGENTS: readonly Step[] = [
  example("ask-ok", 200, ASK),
  example("ask-no-key", 401, `curl -i "$bursar/v1/budget"`),
  example("ask-unknown-key", 401, `curl -i "$bursar/v1/budget" -H 'Authorization: Bearer sk-not-a-key'`),
  spent("virtual_key", 412.5),
  example("ask-warning", 200, ASK_NOW),
  alertsAreDelivered(1),
  spent("virtual_key", 525),
  example("ask-grace", 200, ASK_NOW),
];

export const GATE_AND_GUARD: readonly Step[] = [
  example("guard-none", 200, GUARD),
  example(
    "guard-unauthorized",
    401,
    `curl -i -X POST "$bursar/litellm/beta/litellm_basic_guardrail_api" -H 'x-api-key: wrong'`,
  ),
  example("gate-answer", 200, GATE),
  example("gate-not-found", 404, `curl -i "$bursar/llm/key/info" -H "Authorization: Bearer $virtual_key"`),
];

export const REFUSALS: readonly Step[] = [
  spent("virtual_key", 552),
  example("ask-blocked", 402, ASK_NOW),
  example("check-blocked", 402, `curl -i "$bursar/v1/tenants/acme/check" -H "$reader"`),
  example("check-missing", 404, `curl -i "$bursar/v1/tenants/hooli/check" -H "$reader"`),
  example("guard-blocked", 200, GUARD),
  example("gate-refused", 402, GATE),
];
