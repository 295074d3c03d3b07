// Spend past the block threshold over time, one line per way to enforce it.

import { lineChartSvg } from "../report/line-chart.ts";
import type { SpendSample } from "./play.ts";

export interface OvershootSeries {
  readonly legend: string;
  readonly samples: readonly SpendSample[];
}

/** Seconds around the crossing. */
const FROM_SECONDS = -20;
const UNTIL_SECONDS = 60;

/** The plot begins as far below the threshold as before the crossing, at $1 a second. */
const FROM_USD = -20;

/** As fine as the plot shows: there are hundreds of samples. */
const STEP_SECONDS = 0.5;

export function overshootChart(series: readonly OvershootSeries[], title: string): string {
  return lineChartSvg({
    title,
    x: { name: "seconds since the threshold was crossed", min: FROM_SECONDS, max: UNTIL_SECONDS },
    y: { name: "US dollars past the threshold", min: FROM_USD },
    series: series.map(({ legend, samples }) => ({
      name: legend,
      points: instants().map((at) => [at, Math.max(FROM_USD, pastLineAt(samples, at))] as const),
    })),
  });
}

function pastLineAt(samples: readonly SpendSample[], at: number): number {
  return samples.findLast(({ atSeconds }) => atSeconds <= at)?.pastLine ?? FROM_USD;
}

function instants(): number[] {
  const count = (UNTIL_SECONDS - FROM_SECONDS) / STEP_SECONDS + 1;
  return Array.from({ length: count }, (_, index) => FROM_SECONDS + index * STEP_SECONDS);
}
