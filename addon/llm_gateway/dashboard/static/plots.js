// Charts on canvas, by uPlot: stacked columns, lines. Names only ever become text nodes.

import { clock, el, full } from "./base.js";

const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// A probe resolves light-dark() and var() to a colour that a canvas understands.
const probe = el("span", { hidden: true });
document.body.append(probe);
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

export const seriesColour = (n, isOther) => (isOther ? "--c0" : `--c${(n % 7) + 1}`);

const HEIGHT = 190;
let syncs = 0;

export function newSync() {
  syncs += 1;
  return `gw-${syncs}`;
}

function axes(step, format) {
  const grid = { stroke: colour("--line-soft"), width: 1 };
  const common = { stroke: colour("--faint"), font: `11px ${css("font-family") || "sans-serif"}`, ticks: { show: false } };
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  return [
    {
      ...common, grid: { show: false }, space: 70, size: 26,
      values: (_, splits, __, ___, gap) => splits.map((at) => (gap >= 86400 ? day : time).format(new Date(at * 1000))),
    },
    { ...common, grid, size: 52, space: 34, values: (_, splits) => splits.map((value, n) => (n && format(value) === format(splits[n - 1]) ? "" : format(value))) },
  ];
}

function frame(target, step, format, sync) {
  return {
    width: Math.max(260, target.clientWidth), height: HEIGHT,
    padding: [10, 22, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: sync }, points: { show: false }, drag: { x: false, y: false }, y: false },
    axes: axes(step, format),
  };
}

function tooltip(target) {
  const node = el("div", { class: "tip", hidden: true });
  target.append(node);
  return (plot, lines) => {
    const { left, idx } = plot.cursor;
    if (left === null || left < 0 || idx === null || !lines.length) {
      node.hidden = true;
      return;
    }
    node.replaceChildren(...lines);
    node.hidden = false;
    const box = plot.over.getBoundingClientRect();
    const at = plot.over.offsetLeft + left;
    const room = node.offsetWidth + 16;
    node.style.left = `${at + room > box.width + plot.over.offsetLeft ? at - room : at + 14}px`;
    node.style.top = `${plot.over.offsetTop + 4}px`;
  };
}

function line(colourName, name, value) {
  const dot = el("i");
  dot.style.background = `var(${colourName})`;
  return el("p", {}, dot, el("span", {}, name), el("b", {}, value));
}

// Where a column stands, so that the pointer picks the one that it is over.
const middles = (times, step) => times.map((at) => at + step / 2);

// Columns that stand on each other: drawn from the highest sum to the lowest.
export function stacked(target, { times, step, series, before, format, label, sync, pick }) {
  const sums = [];
  let below = new Array(times.length).fill(0);
  for (const one of series) {
    below = below.map((sum, n) => sum + one.values[n]);
    sums.push(below);
  }
  const most = Math.max(0, ...below, ...(before ?? []));
  const bars = uPlot.paths.bars({ size: [0.78, 46], radius: 0 });
  const tip = tooltip(target);
  const plot = new uPlot({
    ...frame(target, step, format, sync),
    scales: { x: { range: [times[0], times.at(-1) + step] }, y: { range: [0, most ? most * 1.08 : 1] } },
    series: [{}, ...sums.map((_, n) => n).reverse().map((n) => ({
      label: label(series[n]), fill: colour(series[n].colour), width: 0, paths: bars, points: { show: false },
    })), ...(before ? [{ label: "before", stroke: colour(times.length > 60 ? "--faint" : "--text"), width: times.length > 60 ? 1 : 1.5, dash: times.length > 60 ? [] : [4, 4], points: { show: false } }] : [])],
    hooks: {
      setCursor: [(plot) => {
        const { idx } = plot.cursor;
        if (idx === null || idx === undefined) return tip(plot, []);
        const shown = series.filter((one) => one.values[idx]).map((one) => line(one.colour, label(one), format(one.values[idx])));
        tip(plot, [el("p", { class: "at" }, when(times[idx], step), el("b", {}, format(below[idx]))), ...shown,
          ...(before ? [line("--text", "all, before", format(before[idx]))] : [])]);
      }],
    },
  }, [middles(times, step), ...sums.toReversed(), ...(before ? [before] : [])], target);
  if (pick) {
    plot.over.style.cursor = "pointer";
    plot.over.title = "Show these requests";
    plot.over.addEventListener("click", () => { if (below[plot.cursor.idx]) pick(plot.cursor.idx); });
  }
  return plot;
}

export function lines(target, { times, step, series, format, sync }) {
  const tip = tooltip(target);
  return new uPlot({
    ...frame(target, step, format, sync),
    scales: { x: { range: [times[0], times.at(-1) + step] }, y: { range: (_, __, most) => [0, (most || 1000) * 1.1] } },
    series: [{}, ...series.map((one) => ({
      label: one.name, stroke: colour(one.colour), width: 2, spanGaps: true,
      points: { show: series[0].values.filter((v) => v !== null).length < 40, size: 5, fill: colour(one.colour) },
    }))],
    hooks: {
      setCursor: [(plot) => {
        const { idx } = plot.cursor;
        if (idx === null || idx === undefined) return tip(plot, []);
        const shown = series.filter((one) => one.values[idx] !== null)
          .map((one) => line(one.colour, one.name, format(one.values[idx])));
        tip(plot, shown.length ? [el("p", { class: "at" }, when(times[idx], step)), ...shown] : []);
      }],
    },
  }, [middles(times, step), ...series.map((one) => one.values)], target);
}

export function when(at, step) {
  if (step >= 86400) return new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" }).format(new Date(at * 1000));
  const now = Date.now() / 1000;
  return now - at < 43200 ? clock(at, now) : full(at).replace(/:\d\d(?= |$)/, "");
}
