// The notice of `POST /v1/channels/{id}/test`. It must never look like an alert: it has no figures and says what it is.

import type { TestNotice } from "./notice.ts";

/** `id`: of this one request, as an alert's id would be; receivers of webhooks dedupe by it. */
export function testNotice(test: TestNotice["test"]): TestNotice {
  return { test };
}
