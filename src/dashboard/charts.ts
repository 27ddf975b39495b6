/** Lines over the last hour, by uPlot: one chart for each golden figure, with one cursor over all of them. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type Plot from "uplot";
import type { AlignedData, Options, Series } from "uplot";
import * as html from "./tags.ts";

/** From `/uplot.js`, which is smaller as its makers made it than a bundler makes it. */
declare const uPlot: typeof Plot;

export interface Line {
  readonly name: string;
  /** Name of a colour of page.css. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly points: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** The sum of it in words: what a reader of the screen hears. */
  readonly words: string;
  readonly stepMs: number;
  readonly endMs: number;
  readonly lines: readonly Line[];
  readonly show: (value: number | null) => string;
  /** The least that the axis goes up to, and a top that it never passes. */
  readonly least: number;
  readonly most?: number;
}

const height = 150;

export function Chart(props: ChartProps): VNode {
  const { title, words, lines, show } = props;
  const box = useRef<HTMLDivElement>(null);
  const told = useRef<HTMLSpanElement>(null);
  const plot = useRef<Plot | null>(null);
  useEffect(() => {
    const make = (): void => {
      plot.current?.destroy();
      if (box.current === null) return;
      const options = optionsOf(props, box.current.clientWidth, (at) => {
        if (told.current !== null) told.current.textContent = at === null ? "" : valuesAt(props, at);
      });
      plot.current = new uPlot(options, dataOf(props), box.current);
    };
    make();
    const observer = new ResizeObserver(() => {
      const width = box.current?.clientWidth ?? 0;
      if (width > 0 && width !== plot.current?.width) plot.current?.setSize({ width, height });
    });
    if (box.current !== null) observer.observe(box.current);
    addEventListener("themechange", make);
    return () => {
      observer.disconnect();
      removeEventListener("themechange", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(dataOf(props)), [props.endMs]);
  return html.div(
    { class: "chart" },
    html.div(
      { class: "chart-head" },
      html.strong(null, title),
      lines.map(({ name, colour, points }) =>
        html.span(
          { class: "key" },
          html.span({ class: `swatch ${colour}`, "aria-hidden": "true" }),
          `${name} `,
          html.span({ class: "value" }, show(points.at(-1) ?? null)),
        ),
      ),
      html.span({ class: "at", ref: told }),
    ),
    html.div({ ref: box, role: "img", "aria-label": `${title} in the last hour. ${words}` }),
  );
}

function dataOf({ stepMs, endMs, lines }: ChartProps): AlignedData {
  const [first] = lines;
  const count = first?.points.length ?? 0;
  const times = Array.from({ length: count }, (_, at) => (endMs - (count - 1 - at) * stepMs) / 1_000);
  return [times, ...lines.map(({ points }) => [...points])];
}

/** Seconds that are shown at least. */
const shortest = 600;

/** When the first point is, in seconds. */
function firstKnown({ lines, stepMs, endMs }: ChartProps): number {
  const starts = lines.map(({ points }) => points.length - 1 - points.findIndex((point) => point !== null));
  return (endMs - Math.min(Math.max(0, ...starts), (lines[0]?.points.length ?? 1) - 1) * stepMs) / 1_000;
}

function valuesAt({ lines, show, endMs, stepMs }: ChartProps, at: number): string {
  const count = lines[0]?.points.length ?? 0;
  const time = new Date(endMs - (count - 1 - at) * stepMs).toLocaleTimeString([], { hour12: false });
  return `${time}  ${lines.map(({ name, points }) => `${name} ${show(points[at] ?? null)}`).join("  ")}`;
}

function optionsOf(props: ChartProps, width: number, hovered: (at: number | null) => void): Options {
  const { lines, show, least, most } = props;
  const colour = (name: string): string =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("muted"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  const series = lines.map(({ name, colour: own, dash = [] }, at): Series => ({
    label: name,
    stroke: colour(own),
    width: 1.5,
    dash: [...dash],
    points: { show: false },
    ...(at === 0 && lines.length === 1 ? { fill: `${colour(own)}22` } : {}),
  }));
  return {
    width: Math.max(100, width),
    height,
    legend: { show: false },
    cursor: { sync: { key: "hour" }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      // What was before anybody looked is no part of it.
      x: { range: (_plot, _min, max) => [Math.min(max - shortest, firstKnown(props)), max] },
      y: {
        range: (_plot, min, max) =>
          most === undefined
            ? [0, Math.max(least, max ?? 0) * 1.1]
            : [Math.max(0, Math.min(least, (min ?? most) - (most - (min ?? most)) * 0.2)), most],
      },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 26,
        values: (_plot, times) =>
          times.map((time) =>
            new Date(time * 1_000).toLocaleTimeString([], {
              hour: "2-digit",
              minute: "2-digit",
              hour12: false,
            }),
          ),
      },
      { ...axis, size: 58, space: 32, values: (_plot, values) => values.map((value) => show(value)) },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [({ cursor }) => hovered(cursor.idx ?? null)] },
  };
}
