// Draws a line chart as SVG. ECharts does that without a browser.

import { init } from "echarts";

export interface LineChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
}

interface Axis {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
  /** Values must be above 0. */
  readonly isLogarithmic?: boolean;
}

const SIZE = { width: 720, height: 380 };

/** Colours that colour-blind readers can distinguish (Okabe and Ito). The dashes distinguish the lines in print. */
const LINES = [
  { color: "#0072b2", type: "solid" },
  { color: "#d55e00", type: "dashed" },
  { color: "#009e73", type: "dotted" },
] as const;

export function lineChartSvg({ title, x, y, series }: LineChart): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  chart.setOption({
    animation: false,
    // White, so that the chart is readable on a dark page.
    backgroundColor: "#fff",
    title: { text: title, left: "center", top: 8, textStyle: { fontSize: 14 } },
    legend: { top: 32, itemWidth: 36, itemGap: 28, itemStyle: { opacity: 0 } },
    grid: { left: 70, right: 24, top: 72, bottom: 52 },
    xAxis: axisOption(x, 30),
    yAxis: axisOption(y, 46),
    series: series.map(({ name, points }, at) => ({
      type: "line",
      name,
      data: points.map((point) => [...point]),
      symbol: "none",
      lineStyle: { width: 2, ...LINES[at % LINES.length] },
      itemStyle: { color: LINES[at % LINES.length]?.color },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}

function axisOption({ name, min, max, isLogarithmic = false }: Axis, nameGap: number) {
  return {
    type: isLogarithmic ? ("log" as const) : ("value" as const),
    name,
    nameLocation: "middle" as const,
    nameGap,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  };
}
