// E-mails: the exact text of each kind, in both parts. Text from outside is in hostile.test.ts.

import { describe, expect, it } from "vitest";
import { aNotice, SAMPLES } from "../../dev/notices/samples.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import type { Notice } from "../../src/notices/notice.ts";

/** The visible text of the HTML, without head and preheader; one space between cells. */
function seen(notice: Notice): string {
  const body = emailMessage(notice)
    .html.replace(/<head>.*<\/head>/s, "")
    .replace(/<div style="display:none.*?<\/div>/s, "");
  return body
    .replace(/<[^>]*>/g, " ")
    .replace(/&nbsp;|\s+/g, " ")
    .replace(/ +/g, " ");
}

const warning = () => emailMessage(aNotice("threshold_crossed", { threshold: 8_000n }));
const critical = () => emailMessage(aNotice("budget_crossed", { threshold: 10_000n, spend: "500" }));

describe("the warning", () => {
  it("N2: the 80 % e-mail names the tenant, its spend and its block threshold", () => {
    expect(warning().subject).toBe("Warning: Acme Corp (acme) has used 82.5 % of its budget");
    expect(warning().text).toBe(`WARNING: Acme Corp (acme) has used 82.5 % of its budget

$412.50 of $500.00 is spent: the alert threshold of 80 % is reached. Requests still go through. They are blocked at $550.00 (110 %), after $137.50 more.

Spend:     $412.50
Limit:     $500.00
Used:      82.5 %
Remaining: $87.50
Blocks at: $550.00 (110 %), $137.50 to go
Resets:    1 December 2026, 00:00 UTC

What to do: If this spend is expected, raise max_budget or grant an override before the tenant reaches its limit. If not, find out what the tenant is running.

-- 
15 November 2026, 12:00 UTC · alert 0b1f6c9e-6c1d-4a53-9f5e-2f4d8a7b3c10 · Bursar
`);
  });

  it("N2: the HTML of the 80 % e-mail shows the same in amber", () => {
    expect(seen(aNotice("threshold_crossed", { threshold: 8_000n }))).toContain(
      " WARNING Acme Corp (acme) has used 82.5 % of its budget 82.5 % of $500.00 used blocks at $550.00 $412.50 of $500.00 is spent: the alert threshold of 80 % is reached. Requests still go through. They are blocked at $550.00 (110 %), after $137.50 more. Spend $412.50 Limit $500.00 Used 82.5 % Remaining $87.50 Blocks at $550.00 (110 %), $137.50 to go Resets 1 December 2026, 00:00 UTC What to do If this spend is expected",
    );
    expect(warning().html).toContain(
      '<td width="75%" height="14" style="height:14px;font-size:0;line-height:0;background:#e8a90c">',
    );
  });

  it("N2: exactly 80.00 percent is a warning", () => {
    const { subject } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, spend: "400" }));
    expect(subject).toBe("Warning: Acme Corp (acme) has used 80 % of its budget");
  });
});

describe("the critical alert", () => {
  it("N2: the 100 % e-mail says that the limit is reached and where requests are blocked", () => {
    expect(critical().subject).toBe("Critical: Acme Corp (acme) has used 100 % of its budget");
    expect(critical().text).toContain(
      "$500.00 is spent, all of the limit of $500.00. Requests still go through in grace. They are blocked at $550.00 (110 %), after $50.00 more.",
    );
    expect(critical().text).toContain("Remaining: $0.00\n");
    expect(critical().text).toContain("To keep the tenant working, raise max_budget or grant an override now.");
  });

  it("N2: the HTML of the 100 % e-mail shows the same in red, with the cells beyond the limit empty", () => {
    const notice = aNotice("budget_crossed", { threshold: 10_000n, spend: "500" });
    expect(seen(notice)).toContain("CRITICAL Acme Corp (acme) has used 100 % of its budget 100 % of $500.00 used");
    const { html } = emailMessage(notice);
    expect(html).toContain("background:#dc3b32");
    expect(html.match(/class="e"/g)).toHaveLength(1);
  });

  it("never rounds 109.99 percent up to 110", () => {
    const notice = aNotice("budget_crossed", { threshold: 10_000n, spend: "549.999999999" });
    expect(emailMessage(notice).subject).toBe("Critical: Acme Corp (acme) has used 109.99 % of its budget");
    expect(seen(notice)).toContain("110 %), $0.000000001 to go");
  });

  it("fills the bar between limit and block threshold up to the spend", () => {
    const { html } = emailMessage(aNotice("budget_crossed", { threshold: 10_000n, spend: "525" }));
    expect(
      [...html.matchAll(/width="([\d.]+%)" height="14" style="[^"]*background:(#\w+)/g)].map((cell) => cell.slice(1)),
    ).toEqual([
      ["90.9%", "#dc3b32"],
      ["4.54%", "#dc3b32"],
      ["4.54%", "#e3e7eb"],
    ]);
  });

  it("keeps the zero in hundredths of a percent", () => {
    const { subject } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, spend: "410.25" }));
    expect(subject).toBe("Warning: Acme Corp (acme) has used 82.05 % of its budget");
  });
});

describe("the block", () => {
  it("says that requests are refused, at which spend and until when", () => {
    const { subject, text } = emailMessage(aNotice("budget_blocked", { threshold: 11_000n, spend: "552" }));
    expect(subject).toBe("Blocked: Acme Corp (acme) has used 110.4 % of its budget; requests are refused");
    expect(text).toContain(
      "$552.00 is spent of a limit of $500.00. At $550.00 (110 %) and above, every request is refused.",
    );
    expect(text).toContain("Remaining: none, $52.00 over the limit");
    expect(text).toContain("Blocks at: $550.00 (110 %), reached");
    expect(text).toContain("Otherwise wait for the reset on 1 December 2026, 00:00 UTC.");
  });

  it("shows no percentage for a limit of zero", () => {
    const notice = aNotice("budget_blocked", { threshold: 11_000n, spend: "0", limit: "0" });
    const { subject, text } = emailMessage(notice);
    expect(subject).toBe("Blocked: Acme Corp (acme) has a limit of $0.00; requests are refused");
    expect(text).not.toMatch(/\d %|NaN|null/);
    expect(seen(notice)).not.toMatch(/\d %|NaN|null/);
  });

  it("shows the crossed threshold even if it was raised since", () => {
    const { text } = emailMessage(
      aNotice("budget_blocked", { threshold: 11_000n, spend: "552", graceThreshold: 15_000n }),
    );
    expect(text).toContain("Blocks at: $550.00 (110 %), reached");
  });

  it("says that a budget never resets", () => {
    const { text } = emailMessage(aNotice("budget_blocked", { threshold: 11_000n, spend: "552", resetsAt: null }));
    expect(text).toContain("Resets:    never");
    expect(text).toContain("This budget never resets automatically.");
  });

  it("does not claim that an observed tenant is refused", () => {
    const { subject, text } = emailMessage(SAMPLES["blocked-observed"] as Notice);
    expect(subject).toBe(
      "Would be blocked: Acme Corp (acme) has used 110.4 % of its budget; requests would be refused",
    );
    expect(text).toContain("Nothing is refused: the tenant is only observed.");
    expect(text).not.toMatch(/(is|are) refused\b(?!: the tenant)/);
  });

  it("says of an observed tenant that it would no longer be blocked, and would be by its present spend", () => {
    const resolved = (spend: string) => emailMessage(aNotice("budget_resolved", { spend, enforcement: "observe" }));
    expect(resolved("300").subject).toContain("would no longer be blocked");
    expect(resolved("552").text).toContain("The tenant would be blocked by its budget: $552.00 of $500.00 is spent.");
  });
});

describe("the other kinds", () => {
  it.each([
    ["platform-dead-letter", "Platform: A queue message failed every attempt"],
    ["platform-litellm-out", "Platform: LiteLLM is unreachable"],
    ["resolved", "Resolved: Acme Corp (acme) is no longer blocked (61.33 % used)"],
    ["projected", "Forecast: Acme Corp (acme) is on course to exceed its limit on 24 November 2026"],
    ["projected-unknown", "Forecast: Acme Corp (acme) is on course to exceed its limit"],
    ["reset", "Reset: Acme Corp (acme) has started a new budget period"],
    ["override-granted", "Override granted: Acme Corp (acme) may spend $100.00 more until 22 November 2026, 18:00 UTC"],
    ["override-ended", "Override ended: Acme Corp (acme) now has a limit of $500.00"],
    ["suspended", "Suspended: Acme Corp (acme) is suspended; requests are refused"],
    ["resumed", "Resumed: Acme Corp (acme) is no longer suspended"],
    ["test", "Test: This is a test of the channel; no budget has changed"],
  ])("%s", (name, subject) => {
    expect(emailMessage(SAMPLES[name] as Notice).subject).toBe(subject);
  });

  it("shows an override with the parts of the limit, its grantor, reason and end", () => {
    const { text } = emailMessage(SAMPLES["override-granted"] as Notice);
    expect(text).toContain("Limit:         $600.00 ($500.00 budget + $100.00 override)");
    expect(text).toContain("Override:      $100.00\nOverride ends: 22 November 2026, 18:00 UTC");
    expect(text).toContain("Granted by:    dana\nReason:        Launch week, agreed with finance");
  });

  it("R2: shows an expired override with its amount, end, grantor and reason", () => {
    const { text } = emailMessage(SAMPLES["override-ended"] as Notice);
    expect(text).toContain("The temporary increase of $100.00 has expired. The tenant is blocked by its budget");
    expect(text).toContain("Override:       $100.00\nOverride ended: 22 November 2026, 18:00 UTC");
    expect(text).toContain("Granted by:     dana\nReason:         Launch week, agreed with finance");
  });

  it("R2: shows a revoked override with its revoker and time", () => {
    const { text } = emailMessage(SAMPLES["override-revoked"] as Notice);
    expect(text).toContain("The temporary increase of $100.00 was revoked before it expired.");
    expect(text).toContain("Override:       $100.00\nOverride ended: 18 November 2026, 09:30 UTC");
    expect(text).toContain("Revoked by:     lee\nReason:         Launch week, agreed with finance");
    expect(text).not.toContain("Granted by");
  });

  it("colors a suspended tenant's bar by its spend", () => {
    expect(emailMessage(aNotice("tenant_suspended")).html).toContain("background:#e8a90c");
  });

  it("shows the projected spend of a forecast, when it is known", () => {
    expect(emailMessage(SAMPLES["projected"] as Notice).text).toContain(
      "reaches $640.25 and exceeds the limit of $500.00",
    );
    const unknown = emailMessage(SAMPLES["projected-unknown"] as Notice).text;
    expect(unknown).toContain("At the current spend rate the spend exceeds the limit of $500.00.");
    expect(unknown).not.toMatch(/null|Projected|Invalid/);
  });

  it("omits malformed fields of a detail", () => {
    const detail = { projected_spend: "lots", projected_exceeded_date: "soon 5" };
    const { subject, text } = emailMessage(aNotice("projected_limit_exceeded", { detail }));
    expect(subject).toBe("Forecast: Acme Corp (acme) is on course to exceed its limit");
    expect(text).not.toMatch(/lots|soon|NaN|Invalid/);
  });

  it("shows a test without amounts and as a test, in every part", () => {
    const { subject, html, text } = emailMessage(SAMPLES["test"] as Notice);
    for (const part of [subject, html, text]) expect(part).toContain("a test of the channel");
    expect(`${subject}${seen(SAMPLES["test"] as Notice)}${text}`).not.toMatch(/\$|%/);
  });
});

describe("in grace", () => {
  it("says that the limit is reached, and what to do, in an event about something else", () => {
    const { text } = emailMessage(aNotice("override_ended", { spend: "525" }));
    expect(text).toContain(
      "The temporary increase has expired. The limit is reached: $525.00 of $500.00 is spent (105 %). Requests still go through in grace.",
    );
    expect(text).toContain("What to do: To keep the tenant working, raise max_budget or grant an override.\n");
  });

  it("says that nothing is refused for an observed tenant", () => {
    const { text } = emailMessage(aNotice("budget_crossed", { spend: "525", enforcement: "observe" }));
    expect(text).toContain("Nothing will be refused: the tenant is only observed.");
    expect(text).toContain(
      "What to do: Raise max_budget or grant an override before you enforce this tenant's budget.",
    );
  });
});

it("draws no gap when the limit is the block threshold", () => {
  const { html } = emailMessage(aNotice("threshold_crossed", { graceThreshold: 10_000n }));
  expect(html).toContain('<td width="82.5%" height="14"');
  expect(html).not.toContain('width="3"');
});

it("shows the amounts of an alert even if they do not fit its event", () => {
  const { subject } = emailMessage(aNotice("budget_resolved", { limit: "0" }));
  expect(subject).toBe("Resolved: Acme Corp (acme) is no longer blocked (all used)");
});

describe("a reminder", () => {
  it("says that it is a reminder, in the subject and in both parts", () => {
    const { subject, html, text } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, repetition: 2 }));
    expect(subject).toBe("Warning (repeated): Acme Corp (acme) has used 82.5 % of its budget");
    for (const part of [html, text]) expect(part).toContain("Reminder 2: this alert is still active.");
    expect(warning().html + warning().text).not.toContain("Repetition");
  });

  it("announces a threshold that is crossed again after the end of a block as new", () => {
    const { subject } = emailMessage(aNotice("threshold_crossed", { threshold: 8_000n, occurrence: 1 }));
    expect(subject).toBe("Warning: Acme Corp (acme) has used 82.5 % of its budget");
  });

  it("shows the current state of the tenant", () => {
    const notice = aNotice("threshold_crossed", { threshold: 8_000n, repetition: 1, spend: "525" });
    expect(emailMessage(notice).subject).toBe("Critical (repeated): Acme Corp (acme) has used 105 % of its budget");
  });
});

describe("the layout, of every kind", () => {
  it.each(Object.entries(SAMPLES))("has balanced tags and no external content: %s", (_, notice) => {
    const { html } = emailMessage(notice);
    expect(openTags(html)).toEqual([]);
    expect(html).not.toMatch(/<(?:img|a|link|script|iframe|object|form|input)\b|url\(|https?:|@import/i);
    expect(html).toContain('<html lang="en"');
    expect(html).toContain('<meta name="color-scheme" content="light dark">');
    expect(html.match(/<table/g)?.length).toBe(html.match(/<table role="presentation"/g)?.length);
    // Gmail cuts messages over 102 kB.
    expect(html.length).toBeLessThan(30_000);
  });

  it.each(Object.entries(SAMPLES))("has cells that add up to the whole bar: %s", (_, notice) => {
    const widths = [...emailMessage(notice).html.matchAll(/width="([\d.]+)%" height="14"/g)].map(([, width]) =>
      Number(width),
    );
    const sum = widths.reduce((total, width) => total + width, 0);
    if (widths.length > 0) expect(Math.abs(sum - 100)).toBeLessThan(0.1);
  });
});

/** The unbalanced tags. */
function openTags(html: string): string[] {
  const open: string[] = [];
  for (const [, close, name] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
    if (name === undefined || ["meta", "br"].includes(name)) continue;
    if (close === "") open.push(name);
    else if (open.at(-1) === name) open.pop();
    else return [...open, `/${name}`];
  }
  return open;
}
