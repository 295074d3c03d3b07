// Spend past the block threshold over time, one line per way to enforce it.

import { lineChartSvg } from "../report/line-chart.ts";
import type { SpendSample } from "./play.ts";

export interface OvershootSeries {
  readonly legend: string;
  readonly samples: readonly SpendSample[];
}

/** Seconds before and after the crossing that the plot shows. */
const FROM_SECONDS = -20;
const UNTIL_SECONDS = 60;

/** At $1 a second the spend is this far below the threshold when the plot begins. */
const FROM_USD = -20;

/** As fine as the plot can show. A run has hundreds of samples. */
const STEP_SECONDS = 0.5;

export function overshootChart(series: readonly OvershootSeries[], title: string): string {
  return lineChartSvg({
    title,
    x: { name: "seconds since the threshold was crossed", min: FROM_SECONDS, max: UNTIL_SECONDS },
    y: { name: "US dollars past the threshold", min: FROM_USD },
    series: series.map(({ legend, samples }) => ({
      name: legend,
      points: instants().map((at) => [at, Math.max(FROM_USD, overshootAt(samples, at))] as const),
    })),
  });
}

function overshootAt(samples: readonly SpendSample[], at: number): number {
  return samples.findLast(({ atSeconds }) => atSeconds <= at)?.pastThreshold ?? FROM_USD;
}

function instants(): number[] {
  const count = (UNTIL_SECONDS - FROM_SECONDS) / STEP_SECONDS + 1;
  return Array.from({ length: count }, (_, index) => FROM_SECONDS + index * STEP_SECONDS);
}
