// The words of refusals by the settings of the tenant: in Ask, Gate and Guard, and to a caller with a read token.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RefusalSettings, TenantConfig } from "../../../src/budget/tenant.ts";
import { type Verdict, verdictOn, verdictRefusedByLiteLlm, verdictWithoutRead } from "../../../src/budget/verdict.ts";
import { refusal } from "../../../src/http/agents/refusal.ts";
import { aSpendRecord, aTenantConfig, NOW, usd } from "../../budget/builders.ts";
import { sha256, VIRTUAL_KEY } from "../../support/builders/virtual-key.ts";
import { aModelAnswer } from "../../support/fakes/fake-model-calls.ts";
import { HttpWorld } from "../../support/worlds/http-world.ts";
import { aQuestion, blocked, GuardWorld } from "../litellm/guard-world.ts";

const OWN: RefusalSettings = {
  message: "The team's money for this month is gone.",
  contactUrl: "https://help.example/budgets?team=a",
  showsAmounts: false,
};
const WORDS = "The team's money for this month is gone. Contact: https://help.example/budgets?team=a";
const PLAIN = "Budget exceeded for tenant acme. Current: $552.00, Limit: $500.00. Contact admin to increase budget.";
const AMOUNTS = ["spend", "limit", "max_budget", "override_amount", "remaining", "blocks_at"];
/** A dollar sign, or an amount of the worlds below. */
const AMOUNT = /\$|552|550|500|412/;

const subject = { kind: "key", id: sha256(VIRTUAL_KEY) } as const;
const OVER = { spendNanoUsd: usd("552") };

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOW }));
afterEach(() => void vi.useRealTimers());

const amountsOf = (body: Record<string, unknown>) => AMOUNTS.map((name) => body[name]);
const NOTHING = AMOUNTS.map(() => null);

describe("the words", () => {
  const over = (settings: Partial<RefusalSettings> | null, config: Partial<TenantConfig> = {}): Verdict => {
    const own = settings === null ? null : { message: null, contactUrl: null, showsAmounts: true, ...settings };
    return verdictOn(aTenantConfig({ ...config, refusal: own }), aSpendRecord(OVER), NOW, "cache");
  };
  const detail = (verdict: Verdict, reader: "agent" | "operator" = "agent") => refusal(verdict, NOW, reader).detail;

  it.each([
    ["without settings", null, PLAIN],
    ["with amounts only", {}, PLAIN],
    ["with a contact", { contactUrl: "https://h.example/" }, `${PLAIN} Contact: https://h.example/`],
    ["with a message", { message: "No." }, "No."],
    ["with both", OWN, WORDS],
    ["without amounts", { showsAmounts: false }, "Budget exceeded for tenant acme. Contact admin to increase budget."],
  ])("are Bursar's or the tenant's own %s", (_, settings, words) => {
    expect(detail(over(settings))).toBe(words);
  });

  it("hold the amounts for a reader with a token", () => {
    expect(detail(over({ showsAmounts: false }), "operator")).toBe(PLAIN);
  });

  it("are the tenant's own for a suspension and a block in LiteLLM too, which keep their types", () => {
    for (const [config, type] of [
      [{ suspendedAt: NOW }, "tenant-suspended"],
      [{ litellmBlockedAt: NOW }, "litellm-blocked"],
    ] as const) {
      expect(refusal(over(OWN, config), NOW, "agent")).toMatchObject({ type, detail: WORDS });
    }
  });

  it("say of a failure what failed, and no amounts", () => {
    const unknown = verdictWithoutRead(aTenantConfig({ refusal: OWN }), null, NOW, "closed");
    expect(detail(unknown)).toBe("The spend is unknown, and the fail policy is closed.");
    const config = aTenantConfig({ refusal: OWN });
    const refused = verdictRefusedByLiteLlm(verdictOn(config, aSpendRecord({ spendNanoUsd: 1n }), NOW, "cache"));
    expect(detail(refused)).toMatch(/^LiteLLM refused this call .* of tenant acme\.$/);
    expect(detail(refused, "operator")).toContain("of $500.00 used");
  });
});

describe("Ask", () => {
  it("has the message and the contact as fields, and no amount for the agent's key", async () => {
    const world = new HttpWorld();
    world.hasTenant({ subject, refusal: OWN }, OVER);
    const { status, text, body } = await asked(world);
    expect([status, body.detail, body.refusal_message, body.contact_url]).toEqual([
      402,
      WORDS,
      OWN.message,
      OWN.contactUrl,
    ]);
    expect(amountsOf(body)).toEqual(NOTHING);
    expect(text).not.toMatch(AMOUNT);
    expect(body.used_percent).toBe(110.4);
  });

  it("has no amount for the agent's key while it allows either", async () => {
    const world = new HttpWorld();
    world.hasTenant({ subject, refusal: OWN }, { spendNanoUsd: usd("412.5") });
    const { status, body } = await world.ask();
    expect([status, body.contact_url, body.used_percent]).toEqual([200, OWN.contactUrl, 82.5]);
    expect(amountsOf(body)).toEqual(NOTHING);
  });

  it("shows the amounts to a caller with a read token", async () => {
    const world = new HttpWorld();
    world.hasTenant({ subject, refusal: OWN }, OVER);
    const { status, body } = await world.call("/v1/tenants/acme/check", { token: "read-token" });
    expect([status, body.detail]).toEqual([402, WORDS]);
    expect(amountsOf(body)).toEqual([552, 500, 500, 0, 0, 550]);
  });

  it("has neither field for a tenant without settings", async () => {
    const world = new HttpWorld();
    world.hasTenant({ subject }, OVER);
    const { body } = await world.ask();
    expect(Object.keys(body)).not.toContain("refusal_message");
    expect(Object.keys(body)).not.toContain("contact_url");
  });

  const asked = async (world: HttpWorld) => {
    const answer = await world.ask();
    return { ...answer, text: JSON.stringify({ ...answer.body, used_percent: null, request_id: null }) };
  };
});

describe("Gate", () => {
  const CHAT = "/llm/v1/chat/completions";
  const chat = (world: HttpWorld, path = CHAT) =>
    world.call(path, { method: "POST", headers: { authorization: `Bearer ${VIRTUAL_KEY}` }, body: "{}" });

  it.each([CHAT, "/llm/v1/messages"])(
    "gives the SDK of %s the tenant's words, and the fields beside them",
    async (path) => {
      const world = new HttpWorld();
      world.hasTenant({ subject, refusal: OWN }, OVER);
      const { status, body } = await chat(world, path);
      expect([status, body.error.message, body.contact_url]).toEqual([402, WORDS, OWN.contactUrl]);
      expect(amountsOf(body)).toEqual(NOTHING);
    },
  );

  it("leaves the remaining amount out of the headers of an allowed call", async () => {
    const world = new HttpWorld();
    world.hasTenant({ subject, refusal: OWN }, { spendNanoUsd: usd("412.5") });
    world.models.next = aModelAnswer();
    const { headers } = await chat(world);
    expect([headers.get("X-Bursar-State"), headers.get("X-Bursar-Remaining")]).toEqual(["warning", null]);
  });
});

describe("Guard", () => {
  it("gives LiteLLM the tenant's words as the reason", async () => {
    const world = new GuardWorld();
    world.hasTenant({ refusal: OWN }, OVER);
    expect((await world.guard(aQuestion())).body).toEqual(blocked(WORDS));
  });
});
