// The spend queue's backlog over time as an SVG of its own: axes with units, a legend, a line per rate. Draws only.
// Readable on light and dark pages: the picture itself asks which of them it is on.

import type { BacklogSeries } from "./cases/sustained-load.ts";

const WIDTH = 720;
const HEIGHT = 380;
const LEFT = 70;
const RIGHT = 20;
const TOP = 56;
const BOTTOM = 52;

/** Colours that keep apart for every kind of eye, and dashes for prints without any. */
const LINES = [
  { light: "#0072b2", dark: "#56b4e9", dash: "" },
  { light: "#b35900", dark: "#e69f00", dash: "7 3" },
  { light: "#00785a", dark: "#2fd3a5", dash: "2 3" },
];

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
  const axes = [
    ...DECADES.filter((each) => each <= top).flatMap((each) => [
      line("grid", [LEFT, y(each)], [WIDTH - RIGHT, y(each)]),
      text(LEFT - 8, y(each) + 4, "end", each.toLocaleString("en-US")),
    ]),
    ...Array.from({ length: TICKS + 1 }, (_, at) => (at * seconds) / TICKS).map((each) =>
      text(x(each), HEIGHT - BOTTOM + 18, "middle", String(Math.round(each * 10) / 10)),
    ),
  ];
  const lines = series.map(({ samples }, at) => {
    const points = samples.map((sample) => `${x(sample.atMs / 1_000).toFixed(1)},${y(sample.messages).toFixed(1)}`);
    return `<polyline class="line l${at}" points="${points.join(" ")}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
${styles()}
</style>
${text(LEFT, 20, "start", title, "title")}
${series.map(legend).join("\n")}
${axes.join("\n")}
${line("axis", [LEFT, TOP], [LEFT, HEIGHT - BOTTOM])}
${line("axis", [LEFT, HEIGHT - BOTTOM], [WIDTH - RIGHT, HEIGHT - BOTTOM])}
${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "middle", "seconds since the first webhook")}
<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">messages in the queue</text>
${lines.join("\n")}
</svg>
`;
}

function styles(): string {
  const strokes = (pick: "light" | "dark") => LINES.map((each, at) => `.l${at} { stroke: ${each[pick]} }`).join(" ");
  const dashes = LINES.map(({ dash }, at) => `.l${at} { stroke-dasharray: ${dash || "none"} }`).join(" ");
  return `text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 14px }
.grid { stroke: #d0d7de; stroke-width: 0.5 } .axis { stroke: #59636e } .line { fill: none; stroke-width: 2 }
${strokes("light")} ${dashes}
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #3d444d } .axis { stroke: #9198a1 }
${strokes("dark")} }`;
}

function legend({ perSecond, seconds }: BacklogSeries, at: number): string {
  const left = LEFT + at * 200;
  const words = `${perSecond.toLocaleString("en-US")} a second for ${seconds} s`;
  return `${line(`line l${at}`, [left, 38], [left + 24, 38])}${text(left + 30, 42, "start", words)}`;
}

function line(className: string, [x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]): string {
  return `<line class="${className}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`;
}

function text(x: number, y: number, anchor: string, words: string, className = ""): string {
  const named = className === "" ? "" : ` class="${className}"`;
  return `<text${named} x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

/** The next of 1, 2, 2.5, 5 times a power of ten, so that five ticks are round figures. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= value) ?? value;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
