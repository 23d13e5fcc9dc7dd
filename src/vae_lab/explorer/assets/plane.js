// The latent plane: the point that a person moves, the posterior nearest to it, and the way between two images.

const LEAST_EXTENT = 3.3; // of the plane, to each side
const SHARE = 0.995; // of the means that the plane shows at least
const [STEP, LARGE_STEP] = [0.1, 0.5]; // of an arrow key

/** A plane on a canvas. ``onMove(x, y, settled)`` is called while its point is moved, and once more at the end. */
class Plane extends Ground {
  constructor(canvas, scene, onMove) {
    super();
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
    this.up = dims.length > 1 ? column(mean, dims[1], size) : Float64Array.from({ length: rows }, (_, n) => this.lane(labels, n));
    const far = quantile([...this.across, ...(dims.length > 1 ? this.up : [])].map(Math.abs), SHARE);
    this.extent = Math.max(LEAST_EXTENT, far * 1.08);
    this.refresh();
  }

  /** Where image n lies upwards when there is one dimension only: by its label, or by its number. */
  lane(labels, n) {
    const place = (n * 0.618) % 1; // spreads neighbours
    if (!this.labels.length) return (place - 0.5) * 4;
    return (((this.labels.indexOf(labels[n]) + 0.2 + 0.6 * place) / this.labels.length) - 0.5) * 6;
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
