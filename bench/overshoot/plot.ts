// How spend goes past the line and stops, over time. Draws only.

import { BOTTOM, HEIGHT, LEFT, line, picture, RIGHT, TOP, text, WIDTH } from "../svg.ts";
import type { SpendSample } from "./play.ts";

export interface OvershootSeries {
  readonly legend: string;
  readonly samples: readonly SpendSample[];
}

/** Seconds around the crossing. */
const FROM = -20;
const UNTIL = 60;
const X_TICK = 10;

/** US dollars. */
const Y_TICK = 10;

/** A point each half second is as fine as the picture shows. */
const STEP = 0.5;

export function overshootPlot(series: readonly OvershootSeries[], title: string): string {
  const all = series.flatMap(({ samples }) => samples.map(({ pastLine }) => pastLine));
  const top = Math.ceil(Math.max(...all) / Y_TICK) * Y_TICK;
  const x = (seconds: number) => LEFT + ((seconds - FROM) / (UNTIL - FROM)) * (WIDTH - LEFT - RIGHT);
  const y = (usd: number) => HEIGHT - BOTTOM - ((usd - FROM) / (top - FROM)) * (HEIGHT - TOP - BOTTOM);
  return picture({
    title,
    xLabel: "seconds since the line was crossed",
    yLabel: "US dollars past the line",
    legends: series.map(({ legend }) => legend),
    axes: [
      ...ticks(FROM, top, Y_TICK).flatMap((usd) => [
        line(usd === 0 ? "axis" : "grid", [LEFT, y(usd)], [WIDTH - RIGHT, y(usd)]),
        text(LEFT - 8, y(usd) + 4, "end", String(usd)),
      ]),
      ...ticks(FROM, UNTIL, X_TICK).map((at) => text(x(at), HEIGHT - BOTTOM + 18, "middle", String(at))),
    ],
    series: series.map(({ samples }) =>
      ticks(FROM, UNTIL, STEP)
        .map((at) => `${x(at).toFixed(1)},${y(Math.max(FROM, pastLineAt(samples, at))).toFixed(1)}`)
        .join(" "),
    ),
  });
}

function pastLineAt(samples: readonly SpendSample[], at: number): number {
  return samples.findLast(({ atSeconds }) => atSeconds <= at)?.pastLine ?? FROM;
}

function ticks(from: number, until: number, step: number): number[] {
  return Array.from({ length: Math.floor((until - from) / step) + 1 }, (_, index) => from + index * step);
}
