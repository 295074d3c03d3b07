// The spend queue's backlog over time, one line per rate of webhooks.

import type { BacklogSeries } from "../cases/sustained-load.ts";
import { lineChartSvg } from "./line-chart.ts";

export function backlogChart(series: readonly BacklogSeries[], title: string): string {
  return lineChartSvg({
    title,
    x: { name: "seconds since the first webhook", min: 0 },
    // A logarithmic scale shows both fifty and thousands of messages, but cannot show zero.
    y: { name: "messages in the queue (0 drawn as 1)", min: 1, isLogarithmic: true },
    series: series.map(({ perSecond, seconds, samples }) => ({
      name: `${perSecond.toLocaleString("en-US")} a second for ${seconds} s`,
      points: samples.map(({ atMs, messages }) => [atMs / 1_000, Math.max(1, messages)] as const),
    })),
  });
}
