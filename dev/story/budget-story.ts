// The demo story: a tenant with $5 spends until it is refused, gets more, goes on, and is reset. Every step must hold.
// Uses nothing but the public HTTP interfaces of Bursar and LiteLLM.

import { randomBytes } from "node:crypto";
import { styleText } from "node:util";
import type { Answer, Clients, Notice } from "./clients.ts";
import type { Timeline } from "./timeline.ts";

/** A step of the story did not hold. */
export class StoryError extends Error {}

/** Spend reaches LiteLLM's database late, so a state is waited for; much longer than that is a failure. */
const TIMEOUT_MS = 30_000;
const LOOK_MS = 250;

const BUDGET = 5;
const OVERRIDE = 5;

/** @throws StoryError naming the step that did not hold. */
export async function playBudgetStory(clients: Clients, timeline: Timeline): Promise<void> {
  const tenantId = `acme-${randomBytes(3).toString("hex")}`;
  const virtualKey = await createTenant(clients, timeline, tenantId);
  const told = startListening(clients, timeline, tenantId);
  const spendTo = async (total: number, cost: number, expected: { status: number; state: string }) => {
    await callModel(clients, timeline, virtualKey, cost);
    return await untilState(clients, timeline, virtualKey, total, expected);
  };

  await untilState(clients, timeline, virtualKey, 0, { status: 200, state: "ok" });
  await spendTo(2, 2, { status: 200, state: "ok" });
  let spentAt = Date.now();
  await spendTo(4.2, 2.2, { status: 200, state: "warning" });
  await told("80 % notice", ["budget.threshold_crossed"], spentAt);
  spentAt = Date.now();
  await spendTo(5.25, 1.05, { status: 200, state: "grace" });
  await told("100 % notice", ["budget.crossed"], spentAt);
  spentAt = Date.now();
  const refused = await spendTo(5.75, 0.5, { status: 402, state: "blocked" });
  const detail = `Budget exceeded for tenant ${tenantId}. Current: $5.75, Limit: $5.00. Contact admin to increase budget.`;
  expectThat(refused.body["detail"] === detail, `the refusal says "${detail}"`, refused);
  timeline.add(detail);
  await told("blocked notice", ["budget.blocked"], spentAt);

  const alsoRefused = await clients.call(virtualKey, 0.01);
  const type = (alsoRefused.body["error"] as { type?: unknown } | undefined)?.type;
  expectThat(type === "budget_exceeded", "LiteLLM refuses the key as well", alsoRefused);
  timeline.tell("the agent calls all the same", `LiteLLM refuses it too (${alsoRefused.status})`);

  const guarded = await clients.call(virtualKey, 0);
  const message = (guarded.body["error"] as { message?: unknown } | undefined)?.message;
  expectThat(message === detail, "LiteLLM asks Guard about a free model, which its own limits let pass", guarded);
  timeline.tell("and a model that costs nothing", `LiteLLM asks Guard, and refuses it (${guarded.status})`);

  const grantedAt = Date.now();
  await grantOverride(clients, timeline, tenantId);
  const allowed = await untilState(clients, timeline, virtualKey, 5.75, { status: 200, state: "ok" });
  expectThat(allowed.body["override_amount"] === OVERRIDE, "the check counts the override", allowed);
  await told("override and resolved", ["override.granted", "budget.resolved"], grantedAt);
  await callModel(clients, timeline, virtualKey, 0.25);
  await untilState(clients, timeline, virtualKey, 6, { status: 200, state: "ok" });

  const resetAt = Date.now();
  const reset = await clients.admin("POST", `/v1/tenants/${tenantId}/reset`);
  expectThat(reset.status === 200 && reset.body["spend"] === 0, "a new period begins with nothing spent", reset);
  timeline.tell("the budget is reset by hand", "a new period, $0.00 spent", reset.edgeMs);
  await untilState(clients, timeline, virtualKey, 0, { status: 200, state: "ok" });
  await told("reset notice", ["budget.reset"], resetAt);
  await callModel(clients, timeline, virtualKey, 0.25);
}

async function grantOverride(clients: Clients, timeline: Timeline, tenantId: string): Promise<void> {
  const wish = { override_amount: OVERRIDE, duration: "1h", reason: "launch day" };
  const granted = await clients.admin("POST", `/v1/tenants/${tenantId}/overrides`, wish);
  expectThat(granted.status === 201 && granted.body["state"] === "active", `$${OVERRIDE} more are granted`, granted);
  expectThat(granted.body["litellm_sync"] === "synced", "LiteLLM has the new limit at once", granted);
  timeline.tell(`override of $${OVERRIDE}.00 granted`, "for an hour, LiteLLM has it too", granted.edgeMs);
}

/** LiteLLM also projects the spend of the period, and Bursar passes that on once a day: no part of this story. */
const FORECAST = /forecast|projected_limit/i;

const CHANNELS = ["slack", "email", "webhook"] as const;

/** Waits for the next notices on every channel, which must be of the given types in whichever order, and the only ones. */
function startListening(clients: Clients, timeline: Timeline, tenantId: string) {
  let heard = 0;
  return async (what: string, types: readonly string[], causedAt: number): Promise<void> => {
    heard += types.length;
    const begunAt = Date.now();
    for (;;) {
      const notices = (await clients.notices(tenantId)).filter(({ summary }) => !FORECAST.test(summary));
      const of = (kind: Notice["kind"]) => notices.filter((notice) => notice.kind === kind);
      if (CHANNELS.every((kind) => of(kind).length >= heard)) {
        const newest = CHANNELS.flatMap((kind) => of(kind).slice(0, types.length).reverse());
        const isOnce = CHANNELS.every((kind) => of(kind).length === heard);
        const isRight = types.every((type) =>
          newest.some(
            ({ kind, summary, signature }) => kind === "webhook" && summary === type && signature === "valid",
          ),
        );
        if (!isOnce || !isRight)
          throw new StoryError(`one ${types.join(", one ")} arrives on each channel; got ${JSON.stringify(notices)}`);
        timeline.tell(`${what} in the inbox`, newest.map((notice) => wordsOn(notice, causedAt)).join(", "));
        for (const { kind, summary } of newest) if (kind === "slack") timeline.add(firstSentence(summary));
        return;
      }
      if (Date.now() - begunAt > TIMEOUT_MS)
        throw new StoryError(`${types.join(", ")} arrives on every channel within ${TIMEOUT_MS / 1_000} s`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  };
}

/** Of Slack's fallback text, which begins with the emoji of the state. */
function firstSentence(text: string): string {
  return /^(?::\w+: )?(.*?\.)(?: |$)/.exec(text)?.[1] ?? text;
}

function wordsOn({ kind, receivedAt }: Notice, causedAt: number): string {
  return `${kind} ${((receivedAt - causedAt) / 1_000).toFixed(1)} s after`;
}

async function createTenant(clients: Clients, timeline: Timeline, tenantId: string): Promise<string> {
  const created = await clients.admin("POST", "/v1/tenants", { tenant_id: tenantId, max_budget: BUDGET });
  const virtualKey = created.body["virtual_key"];
  expectThat(created.status === 201 && typeof virtualKey === "string", "a tenant is created with a key", created);
  expectThat(created.body["litellm_sync"] === "synced", "LiteLLM has the key", created);
  timeline.tell(`tenant ${tenantId} created`, `budget $${BUDGET}.00, key shown once`, created.edgeMs);
  return virtualKey as string;
}

async function callModel(clients: Clients, timeline: Timeline, virtualKey: string, cost: number): Promise<void> {
  const called = await clients.call(virtualKey, cost);
  expectThat(called.status === 200, `a call of $${cost.toFixed(2)} goes through LiteLLM`, called);
  timeline.tell("the agent calls a model", `$${cost.toFixed(2)} spent`);
}

/** Asks until LiteLLM's database has the spend. An answer beyond the expected spend fails the step. */
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
      timeline.tell("the agent asks", describe(answer, Date.now() - begunAt), answer.edgeMs);
      return answer;
    }
    const wanted = `the check says ${expected.state} at $${spend}`;
    expectThat(Date.now() - begunAt < TIMEOUT_MS, `${wanted} within ${TIMEOUT_MS / 1_000} s`, answer);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function describe({ status, body }: Answer, waitedMs: number): string {
  const colour = status !== 200 ? "red" : body["state"] === "ok" ? "green" : "yellow";
  const verdict = styleText(colour, `${status} ${String(body["state"])}`);
  const waited = waitedMs > LOOK_MS ? `, seen ${(waitedMs / 1_000).toFixed(1)} s after the call` : "";
  return `${verdict} at ${String(body["used_percent"])} %${waited}`;
}

function expectThat(holds: boolean, what: string, seen: Answer): void {
  if (!holds) throw new StoryError(`${what}: it does not hold; got ${seen.status} ${JSON.stringify(seen.body)}`);
}
