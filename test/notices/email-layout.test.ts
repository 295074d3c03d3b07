// The HTML of e-mails, of every kind: well formed, small, without content from outside.

import { describe, expect, it } from "vitest";
import { SAMPLES } from "../../dev/notices/samples.ts";
import { emailMessage } from "../../src/notices/email/email.ts";

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
