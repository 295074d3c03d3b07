// The frame of our plots: axes with units, a legend, a line per series. Draws only.
// Readable on light and dark pages: the picture itself asks which of them it is on.

export const WIDTH = 720;
export const HEIGHT = 380;
export const LEFT = 70;
export const RIGHT = 20;
export const TOP = 56;
export const BOTTOM = 52;

/** Colours that keep apart for every kind of eye, and dashes for prints without any. */
const LINES = [
  { light: "#0072b2", dark: "#56b4e9", dash: "" },
  { light: "#b35900", dark: "#e69f00", dash: "7 3" },
  { light: "#00785a", dark: "#2fd3a5", dash: "2 3" },
];

export interface Picture {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** What each series is, in a word or two: three of them have room. */
  readonly legends: readonly string[];
  /** Ticks and grid, drawn already. */
  readonly axes: readonly string[];
  /** The points of each series, drawn already. */
  readonly series: readonly string[];
}

export function picture({ title, xLabel, yLabel, legends, axes, series }: Picture): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
${styles()}
</style>
${text(LEFT, 20, "start", title, "title")}
${legends.map(legend).join("\n")}
${axes.join("\n")}
${line("axis", [LEFT, TOP], [LEFT, HEIGHT - BOTTOM])}
${line("axis", [LEFT, HEIGHT - BOTTOM], [WIDTH - RIGHT, HEIGHT - BOTTOM])}
${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "middle", xLabel)}
<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>
${series.map((points, at) => `<polyline class="line l${at}" points="${points}"/>`).join("\n")}
</svg>
`;
}

export function line(
  className: string,
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
): string {
  return `<line class="${className}" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`;
}

export function text(x: number, y: number, anchor: string, words: string, className = ""): string {
  const named = className === "" ? "" : ` class="${className}"`;
  return `<text${named} x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

/** The next of 1, 2, 2.5, 5 times a power of ten, so that five ticks are round figures. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= value) ?? value;
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

function legend(words: string, at: number): string {
  const left = LEFT + at * 200;
  return `${line(`line l${at}`, [left, 38], [left + 24, 38])}${text(left + 30, 42, "start", words)}`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
