// The latent plane: the posteriors' means over the prior's contours, and the point that a person moves.

const LIGHT = ["#332288", "#4aa5d8", "#2f9d8c", "#117733", "#8a8a25", "#c9a227", "#cc5566", "#882255", "#aa4499", "#666666"];
const DARK = ["#958df0", "#88ccee", "#44aa99", "#5fbf70", "#b9b94e", "#ddcc77", "#ee8894", "#d0689f", "#d785cb", "#bbbbbb"];
const MOST_COLOURS = LIGHT.length;
const CONTOURS = [1, 2, 3]; // σ of the prior
const LEAST_EXTENT = 3.3; // of the plane, to each side
const SHARE = 0.995; // of the means that the plane shows at least
const [STEP, LARGE_STEP] = [0.1, 0.5]; // of an arrow key

/** The value below which a share of the numbers lies. */
function quantile(numbers, share) {
  const sorted = Float64Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Coordinate i of all rows of numbers (N, D). */
const column = (numbers, i, dims) => Float64Array.from({ length: numbers.length / dims }, (_, n) => numbers[n * dims + i]);

/** A whole number with a true minus sign. */
const whole = (number) => `${number}`.replace("-", "−");

/** The labels that have a colour of their own; none where there are too many. */
function colouredLabels(labels) {
  const found = [...new Set(labels ?? [])].sort((a, b) => a - b);
  return found.length <= MOST_COLOURS ? found : [];
}

/** A plane on a canvas. ``onMove(x, y, settled)`` is called while its point is moved, and once more at the end. */
class Plane {
  constructor(canvas, scene, onMove) {
    Object.assign(this, { canvas, scene, onMove, context: canvas.getContext("2d"), labels: colouredLabels(scene.labels) });
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", () => this.refresh());
    new ResizeObserver(() => this.refresh()).observe(canvas.parentElement);
    this.listen();
  }

  /** Show these dimensions: two, or one. */
  choose(dims) {
    const { mean, size, labels } = this.scene;
    this.dims = dims;
    const rows = mean.length / size;
    this.across = column(mean, dims[0], size);
    this.up = dims.length > 1 ? column(mean, dims[1], size) : Float64Array.from({ length: rows }, (_, n) => this.lane(labels, n, rows));
    const far = quantile([...this.across, ...(dims.length > 1 ? this.up : [])].map(Math.abs), SHARE);
    this.extent = Math.max(LEAST_EXTENT, far * 1.08);
    this.refresh();
  }

  /** Where image n lies upwards when there is one dimension only: by its label, or by its number. */
  lane(labels, n, rows) {
    const place = (n * 0.618) % 1; // spreads neighbours
    if (!this.labels.length) return (place - 0.5) * 4;
    return (((this.labels.indexOf(labels[n]) + 0.2 + 0.6 * place) / this.labels.length) - 0.5) * 6;
  }

  get colours() {
    return this.dark.matches ? DARK : LIGHT;
  }

  /** A colour of the style sheet. */
  ink(name) {
    return getComputedStyle(this.canvas).getPropertyValue(`--${name}`).trim();
  }

  colourOf(label) {
    const place = this.labels.indexOf(label);
    return place < 0 ? this.ink("accent") : this.colours[place];
  }

  /** Fit the canvas to its place and draw all anew. */
  refresh() {
    if (!this.dims) return;
    this.side = this.canvas.clientWidth;
    if (!this.side) return; // not laid out yet
    this.density = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.height = Math.round(this.side * this.density);
    this.ground = document.createElement("canvas");
    this.ground.width = this.ground.height = this.canvas.width;
    this.drawGround(this.ground.getContext("2d"));
    if (this.shown) this.draw(this.shown);
  }

  /** Where a point of the plane lies on the canvas. */
  place(x, y) {
    const scale = this.side / 2 / this.extent;
    return [this.side / 2 + x * scale, this.side / 2 - y * scale];
  }

  /** Axes, contours and the means: what stays as it is while the point moves. */
  drawGround(context) {
    context.scale(this.density, this.density);
    this.drawAxes(context);
    context.strokeStyle = this.ink("contour");
    for (const sigma of CONTOURS) this.curve(context, this.contour(sigma));
    const radius = this.across.length > 1000 ? 2 : 2.8;
    context.globalAlpha = 0.75;
    this.across.forEach((x, n) => {
      context.fillStyle = this.colourOf(this.scene.labels?.[n]);
      this.disc(context, this.place(x, this.up[n]), radius);
      context.fill();
    });
    context.globalAlpha = 1;
    this.labels.forEach((label) => this.drawLabel(context, label));
  }

  drawAxes(context) {
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 1;
    const step = Math.ceil(this.extent / 6);
    for (let tick = -Math.floor(this.extent / step) * step; tick <= this.extent; tick += step) {
      const [x, y] = this.place(tick, tick);
      context.strokeStyle = this.ink(tick ? "panel" : "line");
      this.line(context, [x, 0], [x, this.side]);
      context.fillStyle = this.ink("quiet");
      context.textAlign = "center";
      context.fillText(whole(tick), x, this.side - 5);
      if (this.dims.length === 1) continue;
      this.line(context, [0, y], [this.side, y]);
      context.textAlign = "left";
      if (tick > 1 - this.extent) context.fillText(whole(tick), 5, y + 4);
    }
  }

  /** A contour of the prior: an ellipse, or two lines where there is one dimension. */
  contour(sigma) {
    const { priorMean, covariance } = this.scene;
    const [i, j] = this.dims;
    const a = Math.sqrt(covariance(i, i));
    if (j === undefined) return [-1, 0, 1].flatMap((s) => [[priorMean[i] + s * sigma * a, 99], [priorMean[i] + s * sigma * a, -99], null]);
    const b = covariance(i, j) / a;
    const c = Math.sqrt(Math.max(covariance(j, j) - b * b, 0));
    return Array.from({ length: 97 }, (_, k) => {
      const [u, v] = [Math.cos((k / 48) * Math.PI), Math.sin((k / 48) * Math.PI)].map((s) => s * sigma);
      return [priorMean[i] + a * u, priorMean[j] + b * u + c * v];
    });
  }

  /** A label's name at the median of its images. */
  drawLabel(context, label) {
    const own = [...this.across.keys()].filter((n) => this.scene.labels[n] === label);
    const [x, y] = this.place(quantile(own.map((n) => this.across[n]), 0.5), quantile(own.map((n) => this.up[n]), 0.5));
    context.font = "bold 15px system-ui, sans-serif";
    context.textAlign = "center";
    context.lineWidth = 5;
    context.lineJoin = "round";
    context.strokeStyle = this.ink("ground");
    context.strokeText(label, x, y + 5);
    context.fillStyle = this.colourOf(label);
    context.fillText(label, x, y + 5);
    context.lineWidth = 1;
  }

  /** The point, the posterior nearest to it, and the way between the two chosen images. */
  draw(shown) {
    this.shown = shown;
    if (!this.side) return;
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.ground, 0, 0);
    context.scale(this.density, this.density);
    context.strokeStyle = this.ink("ink");
    this.drawWay(shown.way);
    this.drawNearest(shown.nearest);
    this.drawPoint(this.pointOf(shown.z));
  }

  /** The part of a position that the plane shows. */
  pointOf(z) {
    return [z[this.dims[0]], this.dims.length > 1 ? z[this.dims[1]] : 0];
  }

  drawWay(way) {
    const { context } = this;
    context.setLineDash([4, 4]);
    this.curve(context, way.map((z) => this.pointOf(z)));
    context.setLineDash([]);
    [way[0], way.at(-1)].forEach((z, end) => {
      const [x, y] = this.place(...this.pointOf(z));
      context.fillStyle = this.ink("ink");
      this.disc(context, [x, y], 8);
      context.fill();
      context.fillStyle = this.ink("ground");
      context.font = "bold 11px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("AB"[end], x, y + 4);
    });
  }

  /** One σ of the nearest posterior. */
  drawNearest({ image }) {
    const { context, scene, dims } = this;
    const scale = this.side / 2 / this.extent;
    const [wide, high] = dims.map((i) => scene.stddev[image * scene.size + i] * scale);
    context.beginPath();
    context.ellipse(...this.place(this.across[image], this.up[image]), wide, high ?? 6, 0, 0, 2 * Math.PI);
    context.stroke();
  }

  drawPoint([x, y]) {
    const { context } = this;
    const place = this.place(x, y);
    context.lineWidth = 3;
    context.strokeStyle = this.ink("ground");
    this.disc(context, place, 9);
    context.fillStyle = this.ink("accent");
    context.fill();
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = this.ink("ink");
    this.disc(context, place, 10.5);
    context.stroke();
    context.lineWidth = 1;
  }

  disc(context, [x, y], radius) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }

  line(context, from, to) {
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }

  /** A line through points of the plane; null lifts the pen. */
  curve(context, points) {
    context.beginPath();
    let down = false;
    for (const point of points) {
      if (point) context[down ? "lineTo" : "moveTo"](...this.place(...point));
      down = Boolean(point);
    }
    context.stroke();
  }

  /** Follow the pointer while it is down, and the arrow keys. */
  listen() {
    const { canvas } = this;
    const move = (event, settled) => {
      const [x, y] = [event.offsetX, event.offsetY].map((place) => Math.min(Math.max(place, 0), this.side) / this.side);
      this.onMove((2 * x - 1) * this.extent, (1 - 2 * y) * this.extent, settled);
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      move(event, false);
    });
    canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && move(event, false));
    canvas.addEventListener("pointerup", (event) => canvas.hasPointerCapture(event.pointerId) && move(event, true));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [x, y] = this.pointOf(this.shown.z);
    const step = event.shiftKey ? LARGE_STEP : STEP;
    const inside = (value) => Math.min(Math.max(value, -this.extent), this.extent);
    this.onMove(inside(x + way[0] * step), inside(y + way[1] * step), true);
  }
}
