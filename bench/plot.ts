// The spend queue's backlog over time as an SVG of its own: a line per rate. Draws only.

import type { BacklogSeries } from "./cases/sustained-load.ts";
import { BOTTOM, HEIGHT, LEFT, line, niceAbove, picture, RIGHT, TOP, text, WIDTH } from "./svg.ts";

const TICKS = 5;

/** So that a backlog of fifty and one of thousands can both be read; nought is at the foot of it. */
const DECADES = [0, 10, 100, 1_000, 10_000, 100_000];
const height = (messages: number) => Math.log10(1 + messages);

export function backlogPlot(series: readonly BacklogSeries[], title: string): string {
  const seconds = niceAbove(Math.max(...series.flatMap(({ samples }) => samples.map(({ atMs }) => atMs / 1_000))));
  const largest = Math.max(...series.flatMap(({ samples }) => samples.map((sample) => sample.messages)));
  const top = DECADES.find((each) => each >= largest) ?? largest;
  const x = (value: number) => LEFT + (value / seconds) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - (height(value) / height(top)) * (HEIGHT - TOP - BOTTOM);
  return picture({
    title,
    xLabel: "seconds since the first webhook",
    yLabel: "messages in the queue",
    legends: series.map((each) => `${each.perSecond.toLocaleString("en-US")} a second for ${each.seconds} s`),
    axes: [
      ...DECADES.filter((each) => each <= top).flatMap((each) => [
        line("grid", [LEFT, y(each)], [WIDTH - RIGHT, y(each)]),
        text(LEFT - 8, y(each) + 4, "end", each.toLocaleString("en-US")),
      ]),
      ...Array.from({ length: TICKS + 1 }, (_, at) => (at * seconds) / TICKS).map((each) =>
        text(x(each), HEIGHT - BOTTOM + 18, "middle", String(Math.round(each * 10) / 10)),
      ),
    ],
    series: series.map(({ samples }) =>
      samples.map((each) => `${x(each.atMs / 1_000).toFixed(1)},${y(each.messages).toFixed(1)}`).join(" "),
    ),
  });
}
