// How spend goes past the line and stops, over time. Draws only.

import { BOTTOM, HEIGHT, LEFT, line, picture, RIGHT, TOP, text, WIDTH } from "../svg.ts";
import type { SpendSample } from "./play.ts";

export interface OvershootSeries {
  readonly legend: string;
  readonly samples: readonly SpendSample[];
}

/** Seconds around the crossing. */
const FROM_SECONDS = -20;
const UNTIL_SECONDS = 60;
const SECONDS_TICK = 10;

/** US dollars, at $1 a second: the plot begins as far below the line as before it. */
const FROM_USD = -20;
const USD_TICK = 10;

/** A point each half second is as fine as the picture shows. */
const STEP_SECONDS = 0.5;

export function overshootPlot(series: readonly OvershootSeries[], title: string): string {
  const all = series.flatMap(({ samples }) => samples.map(({ pastLine }) => pastLine));
  const top = Math.ceil(Math.max(...all) / USD_TICK) * USD_TICK;
  const x = (seconds: number) =>
    LEFT + ((seconds - FROM_SECONDS) / (UNTIL_SECONDS - FROM_SECONDS)) * (WIDTH - LEFT - RIGHT);
  const y = (usd: number) => HEIGHT - BOTTOM - ((usd - FROM_USD) / (top - FROM_USD)) * (HEIGHT - TOP - BOTTOM);
  return picture({
    title,
    xLabel: "seconds since the line was crossed",
    yLabel: "US dollars past the line",
    legends: series.map(({ legend }) => legend),
    axes: [
      ...ticks(FROM_USD, top, USD_TICK).flatMap((usd) => [
        line(usd === 0 ? "axis" : "grid", [LEFT, y(usd)], [WIDTH - RIGHT, y(usd)]),
        text(LEFT - 8, y(usd) + 4, "end", String(usd)),
      ]),
      ...ticks(FROM_SECONDS, UNTIL_SECONDS, SECONDS_TICK).map((at) =>
        text(x(at), HEIGHT - BOTTOM + 18, "middle", String(at)),
      ),
    ],
    series: series.map(({ samples }) =>
      ticks(FROM_SECONDS, UNTIL_SECONDS, STEP_SECONDS)
        .map((at) => `${x(at).toFixed(1)},${y(Math.max(FROM_USD, pastLineAt(samples, at))).toFixed(1)}`)
        .join(" "),
    ),
  });
}

function pastLineAt(samples: readonly SpendSample[], at: number): number {
  return samples.findLast(({ atSeconds }) => atSeconds <= at)?.pastLine ?? FROM_USD;
}

function ticks(from: number, until: number, step: number): number[] {
  return Array.from({ length: Math.floor((until - from) / step) + 1 }, (_, index) => from + index * step);
}
