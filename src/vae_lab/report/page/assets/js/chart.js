/* A chart of lines and points over two axes, drawn by uPlot. Drag to zoom, double-click to see all again. */

const NEAR = 24; // pixels within which the pointer finds a line or a point
const WHOLE = [0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power)); // tick spacings
const FADED = 0.15; // of the other lines while one is pointed at

/**
 * Draw series into an element, in place of what was there.
 *
 * A series is {x, y, colour, width, dash, kind: "line" | "band" | "points", run or runs, said}: `said(i)` gives the
 * lines of its tooltip, `runs` are the runs of points. A band has the lower side behind the upper one. `whole`: x counts
 * something; `decorate(plot)` draws below the series.
 */
class Chart {
  constructor(host, { series, labels, whole = false, log = false, height, decorate = null }) {
    this.host = host;
    this.series = series;
    this.lit = -1; // the series that stands out
    this.at = null; // which of its places the arrow keys have reached
    const options = {
      mode: 2,
      width: Math.max(host.clientWidth, 200),
      height,
      padding: [12, 12, 0, 0],
      scales: { x: { time: false, range: apart }, y: { distr: log ? 3 : 1 } },
      axes: [axis(labels[0], { size: 26, ...(whole ? { incrs: WHOLE } : {}) }), axis(labels[1], { size: axisWidth })],
      series: [null, ...series.map(plotted)],
      legend: { show: false },
      focus: { alpha: FADED },
      cursor: { points: { show: false }, drag: { x: true, y: true, uni: 20 }, y: true },
      hooks: { drawAxes: decorate ? [decorate] : [] },
    };
    host.replaceChildren();
    this.plot = new uPlot(options, [null, ...series.map((one) => [one.x, one.y])], host);
    this.listen();
  }

  /** Follow the pointer. */
  listen() {
    const over = this.plot.over;
    over.addEventListener("pointermove", (event) => this.point(event));
    over.addEventListener("pointerleave", () => this.light(null));
    over.addEventListener("click", (event) => this.open(event));
    this.host.onkeydown = (event) => this.step(event);
    this.host.onblur = () => this.light(null);
  }

  /** Go through the lines and points with the arrow keys; Enter opens the run. */
  step(event) {
    const way = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const places = this.places();
    if (!places.length || (!way && event.key !== "Enter")) return;
    event.preventDefault();
    if (!way) return this.at === null ? null : openRun(this.runAt(places[this.at]));
    this.at = this.at === null ? 0 : (this.at + way + places.length) % places.length;
    const { series, index } = places[this.at];
    const box = this.plot.over.getBoundingClientRect();
    const { x, y } = this.series[series];
    this.light(places[this.at], box.left + this.plot.valToPos(x[index], "x"), box.top + this.plot.valToPos(y[index], "y"));
  }

  /** The end of each line, and each point, that belongs to a run. */
  places() {
    return this.series.flatMap((one, series) => {
      if (one.runs) return one.runs.map((_, index) => ({ series, index }));
      return one.run === undefined ? [] : [{ series, index: one.x.length - 1 }];
    });
  }

  /** Light up what is nearest to the pointer. */
  point(event) {
    const box = this.plot.over.getBoundingClientRect();
    this.light(this.nearest(event.clientX - box.left, event.clientY - box.top), event.clientX, event.clientY);
  }

  /** Open the run that was clicked, unless the click ended a drag. */
  open(event) {
    const box = this.plot.over.getBoundingClientRect();
    const found = this.nearest(event.clientX - box.left, event.clientY - box.top);
    const run = found && this.runAt(found);
    if (run !== null && run !== undefined && this.plot.select.width === 0) openRun(run);
  }

  /** The run of a place. */
  runAt({ series, index }) {
    const one = this.series[series];
    return one.runs ? one.runs[index] : one.run;
  }

  /** Show a place, or nothing. */
  light(found, x, y) {
    const lit = found && this.series[found.series].kind === "line" ? found.series : -1;
    if (lit !== this.lit) this.plot.setSeries((this.lit = lit) < 0 ? null : lit + 1, { focus: true });
    if (!found) return hideTooltip();
    showTooltip(x, y, this.series[found.series].said(found.index));
  }

  /** {series, index} nearest to a place of the plot in pixels; null where nothing is near. */
  nearest(left, top) {
    let best = null;
    let least = NEAR;
    this.series.forEach((one, series) => {
      if (!one.said) return;
      const [index, distance] = one.kind === "points" ? this.nearestPoint(one, left, top) : this.nearestOnLine(one, left, top);
      if (distance < least) [best, least] = [{ series, index }, distance];
    });
    return best;
  }

  /** The nearest point and its distance. */
  nearestPoint(one, left, top) {
    const distances = Array.from(one.x, (x, i) => Math.hypot(this.plot.valToPos(x, "x") - left, this.plot.valToPos(one.y[i], "y") - top));
    const least = Math.min(...distances);
    return [distances.indexOf(least), least];
  }

  /** The point of a line nearest to the pointer's x, and how far the line is from it there. */
  nearestOnLine(one, left, top) {
    const x = this.plot.posToVal(left, "x");
    const after = Math.min(Math.max(firstNotBelow(one.x, x), 1), one.x.length - 1);
    const before = Math.max(after - 1, 0);
    const [low, high] = [one.x[before], one.x[after]];
    const share = high > low ? Math.min(Math.max((x - low) / (high - low), 0), 1) : 0;
    const index = share < 0.5 ? before : after;
    if (one.y[before] === null || one.y[after] === null) return [index, Infinity];
    const [from, to] = [this.plot.valToPos(one.y[before], "y"), this.plot.valToPos(one.y[after], "y")];
    const aside = this.plot.valToPos(low + share * (high - low), "x") - left;
    return [index, Math.hypot(aside, from + share * (to - from) - top)];
  }

  destroy() {
    this.plot.destroy();
  }
}

/** The position of the first number that is at least `value`. */
function firstNotBelow(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The extent of an axis, never empty. */
function apart(plot, least, largest) {
  return largest > least ? [least, largest] : [(least ?? 0) - 1, (least ?? 0) + 1];
}

/** An axis in the colours of the theme. */
function axis(label, more) {
  const line = { stroke: themeColour("line"), width: 1 };
  const font = "12px system-ui, sans-serif";
  return { label, stroke: themeColour("soft"), grid: line, ticks: { ...line, size: 4 }, gap: 4, font, labelFont: font, labelSize: 22, values: tickTexts, ...more };
}

/** Ticks as text, without more digits than they need; of a logarithmic axis the powers of ten. */
function tickTexts(plot, ticks) {
  return ticks.map((tick) => (tick === null ? "" : readable(tick)));
}

/** Room for the longest tick. */
function axisWidth(plot, texts) {
  return 17 + 7 * Math.max(1, ...(texts ?? []).map((text) => text.length));
}

const straight = uPlot.paths.linear();

/** A series as uPlot wants it. */
function plotted(one) {
  const base = { facets: [{ scale: "x", auto: true }, { scale: "y", auto: true }], stroke: one.colour, width: one.width ?? 1.5, points: { show: false } };
  if (one.kind === "points") return { ...base, fill: one.hollow ? null : one.colour, paths: (plot, place) => marks(plot, place, one.shape) };
  if (one.kind === "band") return { ...base, width: 0, fill: translucent(one.colour), paths: area };
  return { ...base, dash: one.dash, paths: straight };
}

/** Marks at the points of a series: circles, squares, or small circles. */
function marks(plot, place, shape = 0) {
  const path = new Path2D();
  const radius = (shape === 2 ? 3 : 4.5) * devicePixelRatio;
  plot.data[place][0].forEach((value, i) => {
    const [x, y] = [plot.valToPos(value, "x", true), plot.valToPos(plot.data[place][1][i], "y", true)];
    if (shape === 1) return path.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  });
  return { stroke: path, fill: path };
}

/** The area within the points of a series. */
function area(plot, place, first, last) {
  return { stroke: null, fill: straight(plot, place, first, last).stroke };
}
