// The demo story: a tenant with a $5 budget spends until it is refused, gets an override, continues, and is reset.
// Every step must pass. Uses only the public HTTP interfaces of Bursar, LiteLLM and the inbox.

import { randomBytes } from "node:crypto";
import { styleText } from "node:util";
import type { Answer, Clients, Notice } from "./clients.ts";
import type { Timeline } from "./timeline.ts";

/** A step of the story failed. */
export class StoryError extends Error {}

/** Spend reaches LiteLLM's database late, so the story polls for a state. After this time the step has failed. */
const TIMEOUT_MS = 60_000;
const POLL_MS = 250;

const BUDGET = 5;
const OVERRIDE = 5;

/** @throws StoryError naming the step that failed. */
export async function playBudgetStory(clients: Clients, timeline: Timeline): Promise<void> {
  const tenantId = `acme-${randomBytes(3).toString("hex")}`;
  const virtualKey = await createTenant(clients, timeline, tenantId);
  const expectNotices = startListening(clients, timeline, tenantId);
  const spendTo = async (total: number, cost: number, expected: { status: number; state: string }) => {
    await callModel(clients, timeline, virtualKey, cost);
    return await untilState(clients, timeline, virtualKey, total, expected);
  };

  await untilState(clients, timeline, virtualKey, 0, { status: 200, state: "ok" });
  await spendTo(2, 2, { status: 200, state: "ok" });
  let spentAt = Date.now();
  await spendTo(4.2, 2.2, { status: 200, state: "warning" });
  await expectNotices("80 % notice", ["budget.threshold_crossed"], spentAt);
  spentAt = Date.now();
  await spendTo(5.25, 1.05, { status: 200, state: "grace" });
  await expectNotices("100 % notice", ["budget.crossed"], spentAt);
  spentAt = Date.now();
  const refused = await spendTo(5.75, 0.5, { status: 402, state: "blocked" });
  const detail = `Budget exceeded for tenant ${tenantId}. Current: $5.75, Limit: $5.00. Contact admin to increase budget.`;
  expectThat(refused.body["detail"] === detail, `the refusal says "${detail}"`, refused);
  timeline.addDetail(detail);
  await expectNotices("blocked notice", ["budget.blocked"], spentAt);

  const alsoRefused = await clients.call(virtualKey, 0.01);
  const type = (alsoRefused.body["error"] as { type?: unknown } | undefined)?.type;
  expectThat(type === "budget_exceeded", "LiteLLM refuses the key as well", alsoRefused);
  timeline.addStep("the agent calls a model anyway", `LiteLLM refuses it too (${alsoRefused.status})`);

  const guarded = await clients.call(virtualKey, 0);
  const message = (guarded.body["error"] as { message?: unknown } | undefined)?.message;
  expectThat(message === detail, "LiteLLM asks Guard about a free model, which its own limits allow", guarded);
  timeline.addStep("the agent calls a free model", `LiteLLM asks Guard and refuses it (${guarded.status})`);

  const grantedAt = Date.now();
  await grantOverride(clients, timeline, tenantId);
  const allowed = await untilState(clients, timeline, virtualKey, 5.75, { status: 200, state: "ok" });
  expectThat(allowed.body["override_amount"] === OVERRIDE, "the check counts the override", allowed);
  await expectNotices("override and resolved", ["override.granted", "budget.resolved"], grantedAt);
  await callModel(clients, timeline, virtualKey, 0.25);
  await untilState(clients, timeline, virtualKey, 6, { status: 200, state: "ok" });

  await createResetChannel(clients, timeline, tenantId);
  const resetAt = Date.now();
  const reset = await clients.admin("POST", `/v1/tenants/${tenantId}/reset`);
  expectThat(reset.status === 200 && reset.body["spend"] === 0, "a new period begins with nothing spent", reset);
  timeline.addStep("the administrator resets it", "a new period, $0.00 spent", reset.edgeMs);
  await untilState(clients, timeline, virtualKey, 0, { status: 200, state: "ok" });
  await expectNotices("reset notice", ["budget.reset"], resetAt, ["slack"]);
  await callModel(clients, timeline, virtualKey, 0.25);
}

async function grantOverride(clients: Clients, timeline: Timeline, tenantId: string): Promise<void> {
  const body = { override_amount: OVERRIDE, duration: "1h", reason: "launch day" };
  const granted = await clients.admin("POST", `/v1/tenants/${tenantId}/overrides`, body);
  expectThat(granted.status === 201 && granted.body["state"] === "active", `$${OVERRIDE} override is active`, granted);
  expectThat(granted.body["litellm_sync"] === "synced", "LiteLLM has the new limit at once", granted);
  timeline.addStep(`override of $${OVERRIDE}.00 granted`, "for an hour, LiteLLM has it too", granted.edgeMs);
}

/** Channels of the platform get no resets, so the tenant gets one of its own. */
async function createResetChannel(clients: Clients, timeline: Timeline, tenantId: string): Promise<void> {
  const channel = { kind: "slack", name: "resets", tenant_id: tenantId, events: ["budget_reset"] };
  const created = await clients.admin("POST", "/v1/channels", { ...channel, url: clients.slackUrl(tenantId) });
  expectThat(created.status === 201, "the tenant has a channel of its own", created);
  timeline.addStep("the tenant gets a Slack channel", "of its own, for resets", created.edgeMs);
}

const CHANNELS = ["slack", "email", "webhook"] as const;

/**
 * Returns a function that waits for the next notices on the channels of the platform, or on those of `kinds` only. The
 * webhook must have exactly the given types, in any order. @throws StoryError for a missing, wrong or additional
 * notice.
 */
function startListening(clients: Clients, timeline: Timeline, tenantId: string) {
  const expected = { slack: 0, email: 0, webhook: 0 };
  return async (
    what: string,
    types: readonly string[],
    causedAt: number,
    kinds: readonly Notice["kind"][] = CHANNELS,
  ): Promise<void> => {
    for (const kind of kinds) expected[kind] += types.length;
    const begunAt = Date.now();
    for (;;) {
      const notices = await clients.notices(tenantId);
      const of = (kind: Notice["kind"]) => notices.filter((notice) => notice.kind === kind);
      if (kinds.every((kind) => of(kind).length >= expected[kind])) {
        const newest = kinds.flatMap((kind) => of(kind).slice(0, types.length).reverse());
        const hasNoOthers = CHANNELS.every((kind) => of(kind).length === expected[kind]);
        const ofWebhook = newest.filter(({ kind }) => kind === "webhook");
        const hasTypes =
          !kinds.includes("webhook") ||
          types.every((type) => ofWebhook.some(({ summary, signature }) => summary === type && signature === "valid"));
        if (!hasNoOthers || !hasTypes)
          throw new StoryError(`expected one ${types.join(", one ")} on each channel; got ${JSON.stringify(notices)}`);
        timeline.addStep(`${what} in the inbox`, newest.map((notice) => arrivalOf(notice, causedAt)).join(", "));
        for (const { kind, summary } of newest) if (kind === "slack") timeline.addDetail(firstSentence(summary));
        return;
      }
      if (Date.now() - begunAt > TIMEOUT_MS)
        throw new StoryError(`${types.join(", ")} did not arrive on every channel within ${TIMEOUT_MS / 1_000} s`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
}

/** The first sentence of Slack's fallback text, without the state's emoji. */
function firstSentence(text: string): string {
  return /^(?::\w+: )?(.*?\.)(?: |$)/.exec(text)?.[1] ?? text;
}

function arrivalOf({ kind, receivedAt }: Notice, causedAt: number): string {
  return `${kind} ${((receivedAt - causedAt) / 1_000).toFixed(1)} s after`;
}

async function createTenant(clients: Clients, timeline: Timeline, tenantId: string): Promise<string> {
  const created = await clients.admin("POST", "/v1/tenants", { tenant_id: tenantId, max_budget: BUDGET });
  const virtualKey = created.body["virtual_key"];
  expectThat(created.status === 201 && typeof virtualKey === "string", "a tenant is created with a key", created);
  expectThat(created.body["litellm_sync"] === "synced", "LiteLLM has the key", created);
  timeline.addStep(`tenant ${tenantId} created`, `budget $${BUDGET}.00, key shown once`, created.edgeMs);
  return virtualKey as string;
}

async function callModel(clients: Clients, timeline: Timeline, virtualKey: string, cost: number): Promise<void> {
  const called = await clients.call(virtualKey, cost);
  expectThat(called.status === 200, `a call of $${cost.toFixed(2)} goes through LiteLLM`, called);
  timeline.addStep("the agent calls a model", `$${cost.toFixed(2)} spent`);
}

/** Polls Ask until it answers with the expected spend and state. @throws StoryError on a timeout or a wrong status. */
async function untilState(
  clients: Clients,
  timeline: Timeline,
  virtualKey: string,
  spend: number,
  expected: { status: number; state: string },
): Promise<Answer> {
  const begunAt = Date.now();
  for (;;) {
    const answer = await clients.ask(virtualKey);
    if (answer.body["spend"] === spend && answer.body["state"] === expected.state) {
      expectThat(answer.status === expected.status, `${expected.state} answers ${expected.status}`, answer);
      timeline.addStep("the agent asks", describe(answer, Date.now() - begunAt), answer.edgeMs);
      return answer;
    }
    const claim = `the check says ${expected.state} at $${spend}`;
    expectThat(Date.now() - begunAt < TIMEOUT_MS, `${claim} within ${TIMEOUT_MS / 1_000} s`, answer);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function describe({ status, body }: Answer, waitedMs: number): string {
  const colour = status !== 200 ? "red" : body["state"] === "ok" ? "green" : "yellow";
  const verdict = styleText(colour, `${status} ${String(body["state"])}`);
  const waited = waitedMs > POLL_MS ? `, seen ${(waitedMs / 1_000).toFixed(1)} s after the call` : "";
  return `${verdict} at ${String(body["used_percent"])} %${waited}`;
}

function expectThat(isTrue: boolean, claim: string, answer: Answer): void {
  if (!isTrue) throw new StoryError(`expected that ${claim}; got ${answer.status} ${JSON.stringify(answer.body)}`);
}
