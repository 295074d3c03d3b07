import { describe, expect, it } from "vitest";
import { mailAddress } from "../../src/wire/mail-address.ts";

describe("a mail address", () => {
  it.each([
    ["ops@example.com", "ops@example.com"],
    ["First.Last+tag@Example.com", "First.Last+tag@Example.com"],
    ["ops@münchen.example", "ops@xn--mnchen-3ya.example"],
    ["ops@MÜNCHEN.example", "ops@xn--mnchen-3ya.example"],
    ["ops@mu\u0308nchen.example", "ops@xn--mnchen-3ya.example"],
    ["ops@xn--mnchen-3ya.example", "ops@xn--mnchen-3ya.example"],
    ["ops@пример.рф", "ops@xn--e1afmkfd.xn--p1ai"],
    ["ops@xn--e1afmkfd.xn--p1ai", "ops@xn--e1afmkfd.xn--p1ai"],
    ["ops@例え。テスト", "ops@xn--r8jz45g.xn--zckzah"],
    ["ops@mail.straße.example", "ops@mail.xn--strae-oqa.example"],
  ])("accepts %s, and gives providers %s", (written, taken) => {
    expect(mailAddress.parse(written)).toBe(taken);
  });

  it.each([
    "",
    "ops",
    "@münchen.example",
    "ops@münchen",
    "ops@münchen.example/path",
    "ops@münchen.example:25",
    "ops@münchen example.com",
    "a@b@münchen.example",
    "öps@münchen.example",
    "ops@münchen..example",
    "ops@.münchen.example",
    "ops@１２７.0.0.1",
    "ops@münchen.example\r\nBcc: all@example.com",
    "ops@münchen.\u202eexample",
    "ops@xn--.example.xn--",
    `ops@${"ü".repeat(300)}.example`,
    `${"o".repeat(250)}@münchen.example`,
  ])("refuses %j", (written) => {
    expect(mailAddress.safeParse(written).success).toBe(false);
  });
});
