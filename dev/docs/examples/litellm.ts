// LiteLLM's reports: webhooks with each kind of signature, webhooks with a token in the URL, and call events.

import { example, type Step } from "../steps.ts";

const ALERT = `body='{"event": "budget_crossed", "event_group": "key", "spend": 552, "token": "'$key_hash'"}'`;

export const LITELLM: readonly Step[] = [
  example(
    "webhook-standard",
    200,
    `${ALERT}
id="msg_$(openssl rand -hex 8)" timestamp=$(date +%s)
signature=$(printf %s "$id.$timestamp.$body" | openssl dgst -sha256 -hmac "$webhook_secret" -binary | base64)
curl -i "$bursar/v1/webhooks/litellm" -H "webhook-id: $id" -H "webhook-timestamp: $timestamp" \\
  -H "webhook-signature: v1,$signature" -d "$body"`,
  ),
  example(
    "webhook-hex",
    200,
    `${ALERT}
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$webhook_secret" -r | cut -d' ' -f1)
curl -i "$bursar/v1/webhooks/litellm" -H "X-LiteLLM-Signature: sha256=$signature" -d "$body"`,
  ),
  example(
    "webhook-unsigned",
    401,
    `curl -i "$bursar/v1/webhooks/litellm" \\
  -d '{"event": "budget_crossed", "event_group": "key", "spend": 552}'`,
  ),
  example(
    "webhook-token",
    200,
    `curl -i "$bursar/v1/webhooks/litellm/$webhook_token" \\
  -d '{"event": "budget_crossed", "event_group": "key", "spend": 552, "token": "'$key_hash'"}'`,
  ),
  example(
    "webhook-token-wrong",
    401,
    `curl -i "$bursar/v1/webhooks/litellm/wrong" -d '{"event": "budget_crossed", "event_group": "key", "spend": 552}'`,
  ),
  example(
    "events",
    200,
    `curl -i "$bursar/v1/events/litellm" -H "Authorization: Bearer $events_token" \\
  -d '[{"status": "success", "id": "call-1", "cache_hit": true, "response_cost": 0,
        "startTime": '$(date +%s)', "endTime": '$(date +%s)',
        "metadata": {"user_api_key_hash": "'$key_hash'"}}]'`,
  ),
  example(
    "events-invalid",
    422,
    `curl -i "$bursar/v1/events/litellm" -H "Authorization: Bearer $events_token" \\
  -d '[{"status": "success", "response_cost": "free", "metadata": {"user_api_key_hash": "'$key_hash'"}}]'`,
  ),
];
