// The HTML of e-mails, of every kind: well formed, small, without content from outside.

import { describe, expect, it } from "vitest";
import { SAMPLES } from "../../dev/notices/samples.ts";
import { emailMessage } from "../../src/notices/email/email.ts";
import type { Notice } from "../../src/notices/notice.ts";

const PUBLIC_URL = "https://bursar.example.com";

describe("the layout, of every kind", () => {
  it.each(Object.entries(SAMPLES))("has balanced tags and no external content: %s", (_, notice) => {
    const { html } = emailMessage(notice, PUBLIC_URL);
    expect(openTags(html)).toEqual([]);
    expect(html).not.toMatch(/<(?:img|link|script|iframe|object|form|input)\b|url\(|@import/i);
    expect(html.replaceAll(`${PUBLIC_URL}/tenants/`, "")).not.toMatch(/https?:/);
    expect(html).toContain('<html lang="en"');
    expect(html).toContain('<meta name="color-scheme" content="light dark">');
    expect(html.match(/<table/g)?.length).toBe(html.match(/<table role="presentation"/g)?.length);
    // Gmail cuts messages over 102 kB.
    expect(html.length).toBeLessThan(30_000);
  });

  it.each(Object.entries(SAMPLES))("has cells that add up to the whole bar: %s", (_, notice) => {
    const widths = [...emailMessage(notice).html.matchAll(/width="([\d.]+)%" height="16"/g)].map(([, width]) =>
      Number(width),
    );
    const sum = widths.reduce((total, width) => total + width, 0);
    if (widths.length > 0) expect(Math.abs(sum - 100)).toBeLessThan(0.1);
  });
});

describe("the dark theme", () => {
  const { html } = emailMessage(SAMPLES["blocked-at-170"] as Notice, PUBLIC_URL);
  const dark = Object.fromEntries(
    [...(html.split("prefers-color-scheme:dark){")[1] ?? "").matchAll(/\.(\w)\{([^}]*)\}/g)].map(([, name, rule]) => [
      name,
      rule ?? "",
    ]),
  );

  it.each([
    ["page", "b", "background"],
    ["card", "c", "background"],
    ["text", "t", "color"],
    ["small print", "m", "color"],
    ["empty part of the bar", "e", "background"],
    ["marks of the bar", "k", "background"],
  ])("has a color of its own for the %s, instead of the light one", (_, name, property) => {
    const shown = emailMessage(SAMPLES["warning"] as Notice, PUBLIC_URL).html;
    const element = new RegExp(`class="${name}\\b[^>]*[;"]${property}:(#\\w+)`).exec(shown);
    const [, color] = new RegExp(`(?:^|;)${property}:(#\\w+)!important`).exec(dark[name] ?? "") ?? [];
    expect(color).toMatch(/^#/);
    expect(color).not.toBe(element?.[1]);
  });

  it.each([
    ["text", "t", "c", "color", 4.5],
    ["small print", "m", "c", "color", 4.5],
    ["the marks of the bar", "k", "e", "background", 3],
  ])("shows %s clearly", (_, front, back, property, least) => {
    const colorIn = (rule: string | undefined, of: string) => new RegExp(`(?:^|;)${of}:(#\\w+)`).exec(rule ?? "")?.[1];
    expect(contrast(colorIn(dark[front], property), colorIn(dark[back], "background"))).toBeGreaterThan(least);
  });
});

/** By WCAG; 1 when a color is missing. */
function contrast(front = "#000000", back = "#000000"): number {
  const luminance = (color: string) =>
    [1, 3, 5]
      .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, index) => sum + part * ([0.2126, 0.7152, 0.0722][index] ?? 0), 0);
  const [high = 0, low = 0] = [luminance(front), luminance(back)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

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
