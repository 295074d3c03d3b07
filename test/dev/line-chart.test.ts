// The plots of the benchmarks as SVG.

import { expect, it } from "vitest";
import { lineChartSvg } from "../../bench/report/line-chart.ts";

const chart = {
  title: "Backlog <of> 2",
  x: { name: "seconds" },
  y: { name: "messages" },
  series: [
    { name: "slow", points: [[0, 1] as const, [1, 2] as const] },
    { name: "fast", points: [[0, 3] as const, [1, 4] as const] },
  ],
};

it("draws a chart with its title, axes and legend, and escapes them", () => {
  const svg = lineChartSvg(chart);
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"[\s\S]*<\/svg>\n$/);
  for (const words of ["Backlog &lt;of&gt; 2", "seconds", "messages", "slow", "fast"]) expect(svg).toContain(words);
});
