// The refusal settings of `/v1/tenants`: set, shown, audited, published to the edge, and refused where unusable.

import { describe, expect, it } from "vitest";
import { configJson, configValue } from "../../../src/adapters/cloudflare/kv-codec.ts";
import { aTenantConfig } from "../../budget/builders.ts";
import { idOf } from "../../support/builders/builders.ts";
import { configValue as previousConfigValue } from "../../support/previous-release/kv-codec.ts";
import { fieldsOf, useTenantsApi } from "../../support/worlds/tenants-api.ts";

const { world, deps, call, create } = useTenantsApi();

const patch = (refusal: unknown) => call("PATCH", "/v1/tenants/acme", { refusal });
const OWN = { message: "Ask the platform team.", contact_url: "https://help.example/budgets", amounts: false };
const SETTINGS = { message: OWN.message, contactUrl: OWN.contact_url, showsAmounts: false };

describe("refusal settings", () => {
  it("are set by POST, shown, and in the snapshot for the edge", async () => {
    const { status, body } = await create({ refusal: OWN });
    expect([status, body.refusal]).toEqual([201, OWN]);
    expect((await call("GET", "/v1/tenants/acme")).body.refusal).toEqual(OWN);
    expect(deps.snapshots.configs.get(idOf("acme"))).toMatchObject({ refusal: SETTINGS });
  });

  it("are replaced as a whole and cleared by PATCH, audited, and change no limit", async () => {
    await create();
    expect((await patch({ message: " Ask us. " })).body).toMatchObject({
      refusal: { message: "Ask us.", contact_url: null, amounts: true },
      config_version: 2,
      limit_version: 1,
      litellm_sync: "synced",
    });
    expect((await patch({ amounts: false })).body.refusal).toEqual({
      message: null,
      contact_url: null,
      amounts: false,
    });
    expect((await patch(null)).body.refusal).toBeNull();
    const lines = await world.db.query(
      "select before->'refusal' as before, after->'refusal' as after from audit_log where action = 'tenant_changed' order by id",
    );
    expect(lines).toHaveLength(3);
    expect(lines[0]).toEqual({ before: null, after: { message: "Ask us.", contact_url: null, amounts: true } });
    expect(lines[2]).toMatchObject({ after: null });
  });

  it("stay when another setting changes", async () => {
    await create({ refusal: OWN });
    expect((await call("PATCH", "/v1/tenants/acme", { max_budget: 7 })).body).toMatchObject({ refusal: OWN });
  });

  it.each([
    ["message", ""],
    ["message", "x".repeat(301)],
    ["message", 7],
    ["message", "two\nlines"],
    ["message", "an escape \u001b[31m"],
    ["message", "a zero \u0000"],
    ["message", "a separator \u2028 between"],
    ["message", "turned \u202e round"],
    ["message", "key sk-abcdefghijklmnopqrstuv"],
    ["contact_url", "http://help.example/"],
    ["contact_url", "javascript:alert(1)"],
    ["contact_url", "https://user:pass@help.example/"],
    ["contact_url", "help.example"],
    ["contact_url", `https://help.example/${"x".repeat(300)}`],
    ["amounts", "no"],
    ["colour", "red"],
  ])("are refused with the field named when %s is %j", async (field, value) => {
    await create();
    const answer = await patch({ [field]: value });
    expect([answer.status, fieldsOf(answer)]).toEqual([422, [`refusal.${field}`]]);
  });

  it("accept 300 characters of plain text in any language, and keep markup as text", async () => {
    await create();
    const message = `Größer „geht“ nicht: 予算 <b>&amp;</b> "\\" 👩‍💻 ${"é".repeat(240)}`;
    const { body } = await patch({ message, contact_url: "https://hilfe.example/ü?x=a b" });
    expect(body.refusal).toMatchObject({ message, contact_url: "https://hilfe.example/%C3%BC?x=a%20b" });
  });
});

describe("a config in KV", () => {
  it("carries the settings, and the release before reads it without them", () => {
    const config = aTenantConfig({ refusal: SETTINGS });
    const json = JSON.parse(JSON.stringify(configJson(config)));
    expect(configValue.parse(json)).toEqual(config);
    expect(previousConfigValue.parse(json)).not.toHaveProperty("refusal");
    const { refusal: _, ...previous } = json;
    expect(configValue.parse(previous)).toMatchObject({ refusal: null });
  });
});
