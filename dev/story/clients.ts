// The story's HTTP clients: an administrator and an agent of Bursar, the agent's calls to LiteLLM, and the inbox.

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** The Worker's own response time, from `Server-Timing`. */
  readonly edgeMs: number | null;
}

/** A message in the inbox. */
export interface Notice {
  readonly kind: "slack" | "email" | "webhook";
  readonly receivedAt: number;
  readonly summary: string;
  /** Webhooks only: the inbox's verdict on the signature, such as `valid`. */
  readonly signature: string | null;
}

export interface Clients {
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Calls Ask and demands spend that is at most a second old, so that the story does not have to wait. */
  ask(virtualKey: string): Promise<Answer>;
  /** The address of the inbox for a Slack channel of the tenant. */
  slackUrl(tenantId: string): string;
  /** The notices about a tenant that the inbox has accepted, newest first. */
  notices(tenantId: string): Promise<Notice[]>;
  /** Makes one model call through LiteLLM that costs `usd`. */
  call(virtualKey: string, usd: number): Promise<Answer>;
}

type RawNotice = Pick<Notice, "kind" | "summary"> & { readonly received_at: string; readonly signature?: string };

export function clientsFor(urls: { worker: string; litellm: string; inbox: string }, adminToken: string): Clients {
  return {
    admin: (method, path, body) => send(method, urls.worker + path, adminToken, {}, body),
    ask: (virtualKey) => send("GET", `${urls.worker}/v1/budget`, virtualKey, { "Cache-Control": "max-age=1" }),
    slackUrl: (tenantId) => `${urls.inbox}/slack/${tenantId}`,
    async notices(tenantId) {
      const response = await fetch(`${urls.inbox}/messages?tenant=${tenantId}&accepted=true`);
      const { data } = (await response.json()) as { data: readonly RawNotice[] };
      return data.map(({ kind, received_at, summary, signature }) => ({
        kind,
        receivedAt: Date.parse(received_at),
        summary,
        signature: signature ?? null,
      }));
    },
    call: (virtualKey, usd) =>
      send(
        "POST",
        `${urls.litellm}/v1/chat/completions`,
        virtualKey,
        { "x-sim-cost": String(usd) },
        {
          model: "mock",
          messages: [{ role: "user", content: "hello" }],
        },
      ),
  };
}

async function send(
  method: string,
  url: string,
  token: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const parsed: unknown = text === "" ? {} : JSON.parse(text);
  const timing = /total;dur=(\d+)/.exec(response.headers.get("Server-Timing") ?? "")?.[1];
  return {
    status: response.status,
    body: parsed as Record<string, unknown>,
    edgeMs: timing === undefined ? null : Number(timing),
  };
}
