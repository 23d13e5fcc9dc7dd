// What lies under the moving point: axes, the prior's contours, the posteriors' means in the colours of their labels.

const LIGHT = ["#332288", "#4aa5d8", "#2f9d8c", "#117733", "#8a8a25", "#c9a227", "#cc5566", "#882255", "#aa4499", "#666666"];
const DARK = ["#958df0", "#88ccee", "#44aa99", "#5fbf70", "#b9b94e", "#ddcc77", "#ee8894", "#d0689f", "#d785cb", "#bbbbbb"];
const MOST_COLOURS = LIGHT.length;
const CONTOURS = [1, 2, 3]; // σ of the prior

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

/** What a plane draws once. A plane has ``canvas``, ``scene``, ``dims``, ``across``, ``up``, ``extent`` and ``side``. */
class Ground {
  get colours() {
    return this.dark.matches ? DARK : LIGHT;
  }

  /** A colour of the style sheet. */
  ink(name) {
    return getComputedStyle(this.canvas).getPropertyValue(`--${name}`).trim();
  }

  colourOf(label) {
    const place = this.labels.indexOf(label);
    return place < 0 ? this.accent : this.colours[place];
  }

  /** Where a point of the plane lies on the canvas. */
  place(x, y) {
    const scale = this.side / 2 / this.extent;
    return [this.side / 2 + x * scale, this.side / 2 - y * scale];
  }

  /** Axes, contours and the means: what stays as it is while the point moves. */
  drawGround(context) {
    context.scale(this.density, this.density);
    this.accent = this.ink("accent"); // of what has no label
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
}
