// E-mails: the exact text of each kind, in both parts. Text from outside is in hostile.test.ts, the bar in bar.test.ts.

import { describe, expect, it } from "vitest";
import { aNotice, aPlatformNotice, SAMPLES } from "../../dev/notices/samples.ts";
import type { AlertDetail, AlertEventType } from "../../src/budget/alert.ts";
import type { TenantId } from "../../src/budget/tenant.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import type { Notice } from "../../src/notices/notice.ts";

const PUBLIC_URL = "https://bursar.example.com";

/** The visible text of the HTML; one space between cells. */
function seen(notice: Notice, publicUrl: string | null = null): string {
  const body = emailMessage(notice, publicUrl).html.replace(/<head>.*<\/head>/s, "");
  return body
    .replace(/<[^>]*>/g, " ")
    .replace(/&nbsp;|\s+/g, " ")
    .replace(/ +/g, " ");
}

const warning = () => emailMessage(aNotice("threshold_crossed", { threshold: 8_000n }), PUBLIC_URL);

describe("the warning", () => {
  it("N2: the 80 % e-mail is one sentence, one bar, three numbers and one button", () => {
    expect(warning().subject).toBe("Warning: Acme Corp (acme) has used 82.5 % of its budget");
    expect(warning().text).toBe(`WARNING: Acme Corp (acme) has used 82.5 % of its budget.

███████████████░░░│░░┃

Spent: $412.50
Limit: $500.00
Left:  $87.50
Blocks at $550.00 (110 %)
Resets 1 December 2026, 00:00 UTC

Open tenant: https://bursar.example.com/tenants/acme

-- 
15 November 2026, 12:00 UTC · alert 0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10 · Bursar
`);
  });

  it("N2: the HTML of the 80 % e-mail shows the same in amber", () => {
    expect(seen(aNotice("threshold_crossed", { threshold: 8_000n }), PUBLIC_URL)).toBe(
      " WARNING Acme Corp (acme) has used 82.5 % of its budget Blocks at $550.00 (110 %) Spent $412.50 Limit $500.00 Left $87.50 Resets 1 December 2026, 00:00 UTC Open tenant 15 November 2026, 12:00 UTC · alert 0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10 · Bursar ",
    );
    expect(warning().html).toContain('<td width="75%" height="16" bgcolor="#e8a90c"');
  });

  it("N2: exactly 80.00 percent is a warning", () => {
    const { subject } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, spend: "400" }));
    expect(subject).toBe("Warning: Acme Corp (acme) has used 80 % of its budget");
  });

  it("says what to do where there is no page to open", () => {
    const { text, html } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n }));
    for (const part of [text, html]) {
      expect(part).toContain("To keep the tenant working, raise max_budget or grant an override.");
      expect(part).not.toContain("Open tenant");
    }
  });
});

describe("the button", () => {
  it("opens the page of the tenant, whatever its id", () => {
    const notice = aNotice("threshold_crossed", { tenantId: 'a/b "c"?' as TenantId });
    expect(emailMessage(notice, PUBLIC_URL).html).toContain(
      '<a href="https://bursar.example.com/tenants/a%2Fb%20%22c%22%3F"',
    );
  });

  it("comes as the only link of an e-mail, and a notice of the platform has none", () => {
    expect(warning().html.match(/<a /g)).toHaveLength(1);
    expect(emailMessage(SAMPLES["platform-litellm-out"] as Notice, PUBLIC_URL).html).not.toContain("<a ");
  });
});

describe("the critical alert", () => {
  const critical = (spend: string) => aNotice("budget_crossed", { threshold: 10_000n, spend });

  it("N2: the 100 % e-mail says that requests still go through, and where they are blocked", () => {
    const { subject, text } = emailMessage(critical("500"));
    expect(subject).toBe("Critical: Acme Corp (acme) has used 100 % of its budget; requests still go through");
    expect(text).toContain("Left:  $0.00\nBlocks at $550.00 (110 %)\n");
    expect(text).toContain("To keep the tenant working, raise max_budget or grant an override.");
  });

  it("N2: the HTML of the 100 % e-mail shows the same in red, with the cell beyond the limit empty", () => {
    const { html } = emailMessage(critical("500"));
    expect(html).toContain("background:#dc3b32");
    expect(html.match(/class="e"/g)).toHaveLength(1);
  });

  it("never rounds 109.99 percent up to 110, nor a spend to the amount that blocks", () => {
    const { subject, text } = emailMessage(critical("549.999999999"));
    expect(subject).toBe("Critical: Acme Corp (acme) has used 109.99 % of its budget; requests still go through");
    expect(text).toContain("Spent: $549.99\nLimit: $500.00\nOver:  $49.99\nBlocks at $550.00");
  });

  it("hatches the bar between limit and spend", () => {
    const { html } = emailMessage(critical("525"));
    expect([...html.matchAll(/width="([\d.]+%?)" height="16" bgcolor="(#\w+)"/g)].map((cell) => cell.slice(1))).toEqual(
      [
        ["90.9%", "#dc3b32"],
        ["2", "#1a1d21"],
        ["4.55%", "#f2a9a4"],
        ["4.55%", "#e3e7eb"],
        ["4", "#1a1d21"],
      ],
    );
    expect(html.match(/repeating-linear-gradient/g)).toHaveLength(1);
  });

  it("keeps the zero in hundredths of a percent", () => {
    const { subject } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, spend: "410.25" }));
    expect(subject).toBe("Warning: Acme Corp (acme) has used 82.05 % of its budget");
  });

  it("says that nothing is refused for an observed tenant", () => {
    const { subject, text } = emailMessage(aNotice("budget_crossed", { spend: "525", enforcement: "observe" }));
    expect(subject).toContain("; requests still go through, because its budget is only observed");
    expect(text).toContain("Would block at $550.00 (110 %)");
    expect(text).toContain(
      "What to do: Raise max_budget or grant an override before you enforce this tenant's budget.",
    );
  });
});

describe("the amounts", () => {
  it("show more decimals where the limit has them, and of a spend below a cent", () => {
    const rows = (spend: string, limit: string) => emailMessage(aNotice("threshold_crossed", { spend, limit })).text;
    expect(rows("340.123456789", "333.33")).toContain(
      "Spent: $340.123\nLimit: $333.33\nOver:  $6.793\nBlocks at $366.663",
    );
    expect(rows("0.004", "500")).toContain("Spent: $0.004\nLimit: $500.00\nLeft:  $499.996");
  });

  it("name the override that is part of the limit", () => {
    const { text } = emailMessage(aNotice("budget_crossed", { spend: "610", limit: "600", maxBudget: "500" }));
    expect(text).toContain("Overrides included: $100.00");
  });
});

describe("the block", () => {
  const blocked = (difference: Parameters<typeof aNotice>[1] = {}) =>
    emailMessage(aNotice("budget_blocked", { threshold: 11_000n, spend: "552", ...difference }));

  it("says that requests are refused, at which spend and until when", () => {
    const { subject, text } = blocked();
    expect(subject).toBe("Blocked: Acme Corp (acme) has used 110.4 % of its budget; requests are refused");
    expect(text).toContain("Over:  $52.00\nBlocks at $550.00 (110 %)\nResets 1 December 2026, 00:00 UTC");
    expect(text).toContain("To allow requests again, raise max_budget or grant an override.");
  });

  it("shows no percentage for a limit of zero", () => {
    const { subject, text } = blocked({ spend: "0", limit: "0" });
    expect(subject).toBe("Blocked: Acme Corp (acme) has a limit of zero; requests are refused");
    expect(text).toContain("To allow requests, set a max_budget above zero or grant an override.");
    expect(text).not.toMatch(/\d %|NaN|null/);
    expect(seen(aNotice("budget_blocked", { spend: "0", limit: "0" }))).not.toMatch(/\d %|NaN|null/);
  });

  it("shows the crossed threshold even if it was raised since", () => {
    expect(blocked({ graceThreshold: 15_000n }).text).toContain("Blocks at $550.00 (110 %)");
  });

  it("says that a budget never resets, and that a reset is late", () => {
    expect(blocked({ resetsAt: null }).text).toContain("Never resets\n");
    expect(blocked({ resetsAt: Date.UTC(2026, 10, 15, 11) }).text).toContain(
      "Reset was due 15 November 2026, 11:00 UTC\n",
    );
  });

  it("does not claim that an observed tenant is refused", () => {
    const { subject, text } = blocked({ enforcement: "observe" });
    expect(subject).toBe(
      "Would be blocked: Acme Corp (acme) has used 110.4 % of its budget; requests would be refused",
    );
    expect(text).not.toMatch(/(is|are) refused/);
  });

  it("never calls a tenant blocked whose block has ended, even if its block threshold was lowered since", () => {
    const resolved = (difference: Parameters<typeof aNotice>[1]) =>
      emailMessage(aNotice("budget_resolved", difference));
    expect(resolved({ spend: "300", enforcement: "observe" }).subject).toContain("would no longer be blocked");
    const { subject, text } = resolved({ spend: "552" });
    expect(subject).toBe("Resolved: Acme Corp (acme) is no longer blocked (110.4 % used); requests still go through");
    expect(text).not.toMatch(/refused|Blocks at/);
  });
});

describe("the other kinds", () => {
  it.each([
    ["platform-dead-letter", "Platform: A queue message failed every attempt"],
    ["platform-litellm-out", "Platform: LiteLLM is unreachable"],
    ["resolved", "Resolved: Acme Corp (acme) is no longer blocked (61.33 % used)"],
    ["reset", "Reset: Acme Corp (acme) has started a new budget period"],
    ["override-granted", "Override granted: Acme Corp (acme) may spend $100.00 more until 22 November 2026, 18:00 UTC"],
    [
      "override-ended",
      "Override ended: Acme Corp (acme) no longer has an override of $100.00: it has expired; requests are refused",
    ],
    ["suspended", "Suspended: Acme Corp (acme) is suspended; requests are refused"],
    ["resumed", "Resumed: Acme Corp (acme) is no longer suspended"],
    ["test", "Test: This is a test of the channel; no budget has changed"],
  ])("%s", (name, subject) => {
    expect(emailMessage(SAMPLES[name] as Notice).subject).toBe(subject);
  });

  it("shows an override with its grantor and reason", () => {
    const { text } = emailMessage(SAMPLES["override-granted"] as Notice);
    expect(text).toContain("Limit:      $600.00\n");
    expect(text).toContain("Granted by: dana\nReason:     Launch week, agreed with finance");
  });

  it("R2: shows an expired override with its amount, end, grantor and reason", () => {
    const { text } = emailMessage(SAMPLES["override-ended"] as Notice);
    expect(text).toContain("no longer has an override of $100.00: it has expired");
    expect(text).toContain(
      "Ended:      14 November 2026, 18:00 UTC\nGranted by: dana\nReason:     Launch week, agreed with finance",
    );
  });

  it("R2: shows a revoked override with its revoker and time", () => {
    const { text } = emailMessage(SAMPLES["override-revoked"] as Notice);
    expect(text).toContain("no longer has an override of $100.00: it was revoked");
    expect(text).toContain(
      "Ended:      13 November 2026, 09:30 UTC\nRevoked by: lee\nReason:     Launch week, agreed with finance",
    );
    expect(text).not.toContain("Granted by");
  });

  it("names no amount and no date of an override that are malformed or contradict the time of the notice", () => {
    const text = (eventType: AlertEventType, detail: AlertDetail) => emailMessage(aNotice(eventType, { detail })).text;
    expect(text("override_granted", { override_amount: "lots", expires_at: "soon 5" })).toContain("may spend more.");
    expect(text("override_granted", { expires_at: "2026-11-01T00:00:00.000Z" })).toContain("may spend more.");
    expect(text("override_ended", { expires_at: "2026-12-01T00:00:00.000Z" })).not.toContain("Ended:");
  });

  it("says of a platform's fail-open time whether it is over", () => {
    const ends = (until: string) => emailMessage(aPlatformNotice("litellm_out", { open_until: until })).text;
    expect(ends("2026-11-15T12:50:00.000Z")).toContain("Fail-open ends: 15 November 2026, 12:50 UTC");
    expect(ends("2026-11-15T11:50:00.000Z")).toContain("Fail-open ended: 15 November 2026, 11:50 UTC");
  });

  it("colors a suspended tenant's bar by its spend", () => {
    expect(emailMessage(aNotice("tenant_suspended")).html).toContain("background:#e8a90c");
  });

  it("shows a test without amounts and as a test, in every part", () => {
    const { subject, html, text } = emailMessage(SAMPLES["test"] as Notice);
    for (const part of [subject, html, text]) expect(part).toMatch(/a test of the channel/i);
    expect(`${subject}${seen(SAMPLES["test"] as Notice)}${text}`).not.toMatch(/\$|%/);
  });
});

describe("a repetition", () => {
  it.each([
    [1, "1st"],
    [2, "2nd"],
    [3, "3rd"],
    [4, "4th"],
    [11, "11th"],
    [22, "22nd"],
    [112, "112th"],
  ])("says which one it is, in the subject and in both parts: %i", (repetition, ordinal) => {
    const { subject, html, text } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, repetition }));
    expect(subject).toBe(`Warning (${ordinal} reminder): Acme Corp (acme) has used 82.5 % of its budget`);
    expect(html).toContain(`${ordinal} reminder`);
    expect(text.toLowerCase()).toContain(`${ordinal} reminder`);
  });

  it("names a new crossing after a resolution no reminder", () => {
    const { subject, html, text } = emailMessage(
      aNotice("budget_blocked", { threshold: 11_000n, spend: "552", occurrence: 1 }),
    );
    for (const part of [subject, html, text]) expect(part).not.toMatch(/repeated|repetition|remind|still/i);
  });

  it("shows the present state of the tenant", () => {
    const notice = aNotice("threshold_crossed", { threshold: 8_000n, repetition: 1, spend: "525" });
    expect(emailMessage(notice).subject).toMatch(/^Critical \(1st reminder\): .* has used 105 %/);
  });
});
