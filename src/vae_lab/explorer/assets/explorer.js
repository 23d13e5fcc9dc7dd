// The page: one position z, which the plane, the sliders and the way between two images all move.

const WAY_POINTS = 40; // of the way as it is drawn
const SLIDER = 4; // how far a slider reaches to each side, at least
const USED = 0.01; // nats: a dimension below says next to nothing
const MEAN = "The mean image of p(x|z).";
const DRAWN =
  "One sample of p(x|z). This decoder reads its own pixels and draws them one after the other, which takes a while: " +
  "the picture follows when you let go.";

const at = (id) => document.getElementById(id);
const signed = (value) => value.toFixed(2).replace("-", "−");

/** The scene that the document carries, its numbers unpacked. */
async function readScene() {
  const scene = JSON.parse(at("scene").textContent);
  const names = ["mean", "stddev", "rate", "priorMean", "priorFactor", "thumbnails"];
  const numbers = await Promise.all(names.map((name) => unpack(scene[name])));
  names.forEach((name, i) => (scene[name] = numbers[i]));
  scene.size = scene.rates.length;
  scene.images = scene.thumbnails.length / scene.thumbnail.reduce((a, b) => a * b);
  scene.covariance = (i, j) => rowOf(scene.priorFactor, i, scene.size).reduce((sum, l, k) => sum + l * scene.priorFactor[j * scene.size + k], 0);
  return scene;
}

/** Decode the newest position only: while one is decoded, those that come in between replace each other. */
function newestOnly(decoder, show, fail) {
  let [wanted, busy] = [null, false];
  return async (z) => {
    wanted = Float64Array.from(z);
    if (busy) return;
    busy = true;
    try {
      while (wanted) {
        const next = wanted;
        wanted = null;
        const bytes = await decoder.decode(next);
        if (bytes) show(bytes, next);
      }
    } catch (error) {
      fail(error);
    }
    busy = false;
  };
}

class Explorer {
  constructor(scene, decoder) {
    Object.assign(this, { scene, z: Float64Array.from(scene.priorMean), path: "lerp" });
    this.decode = newestOnly(decoder, (bytes, z) => this.showPicture(bytes, z), say);
    decoder.closed?.catch(say);
    this.plane = new Plane(at("plane"), scene, (x, y, settled) => this.drag(x, y, settled));
    this.ends = new Ends(scene, (end) => this.scrub(end, true));
    this.write();
    this.offerDims();
    this.listen();
    this.chooseDims(scene.dims);
  }

  /** Words that stay. */
  write() {
    const { title, about, draws, size, images, labels } = this.scene;
    document.title = at("title").textContent = title;
    at("about").textContent = about;
    at("caption").textContent = draws ? DRAWN : MEAN;
    const far = Math.sqrt(size).toFixed(1);
    at("nearest-hint").textContent = `By Mahalanobis distance, of ${images} posteriors. A draw from a posterior lies about √${size} = ${far} from its mean.`;
    at("plane-hint").textContent = "Dots: posterior means. Grey: the prior at 1, 2 and 3 σ. Outline: one σ of the nearest posterior. Dashed: the way from A to B.";
    const items = this.plane.labels.map(() => document.createElement("li"));
    items.forEach((item, i) => (item.textContent = this.plane.labels[i]));
    at("legend").replaceChildren(...items);
    this.colourLegend();
    this.plane.dark.addEventListener("change", () => this.colourLegend());
    if (labels && !items.length) at("plane-hint").textContent += " There are too many labels for a colour each.";
  }

  colourLegend() {
    [...at("legend").children].forEach((item, i) => item.style.setProperty("--colour", this.plane.colours[i]));
  }

  /** Fill the choices of the plane's dimensions. */
  offerDims() {
    for (const id of ["across", "up"]) {
      const options = this.scene.order.map((dim) => new Option(`z${dim} · KL ${this.scene.rates[dim].toFixed(2)}`, dim));
      at(id).replaceChildren(...options);
    }
    at("up-label").hidden = this.scene.dims.length === 1;
  }

  listen() {
    at("across").addEventListener("change", () => this.exchange(0));
    at("up").addEventListener("change", () => this.exchange(1));
    at("reset").addEventListener("click", () => this.moveTo(this.scene.priorMean, true));
    at("plane").addEventListener("keydown", (event) => event.key === "Home" && (event.preventDefault(), this.moveTo(this.scene.priorMean, true)));
    at("scrub").addEventListener("input", () => this.scrub(at("scrub").valueAsNumber, false));
    at("scrub").addEventListener("change", () => this.scrub(at("scrub").valueAsNumber, true));
    for (const choice of document.querySelectorAll("[name=path]")) choice.addEventListener("change", () => this.choosePath(choice.value));
  }

  /** A person chose another dimension for an axis; the one that the other axis has changes places with it. */
  exchange(axis) {
    const dims = [at("across"), at("up")].map((select) => Number(select.value)).slice(0, this.scene.dims.length);
    if (dims[0] === dims[1]) dims[1 - axis] = this.dims[axis];
    this.chooseDims(dims);
  }

  chooseDims(dims) {
    this.dims = dims;
    at("across").value = dims[0];
    at("up").value = dims[1] ?? dims[0];
    this.makeSliders();
    this.plane.choose(dims);
    this.moveTo(this.z, true);
  }

  /** A slider for each dimension that is not on the plane. */
  makeSliders() {
    const others = this.scene.order.filter((dim) => !this.dims.includes(dim));
    this.sliders = others.map((dim) => this.slider(dim));
    at("sliders").replaceChildren(...this.sliders.map(({ label }) => label));
    at("dims-part").hidden = !others.length;
  }

  slider(dim) {
    const { mean, size, rates } = this.scene;
    const [label, name, input, words] = ["label", "span", "input", "span"].map((tag) => document.createElement(tag));
    const reach = Math.ceil(Math.max(SLIDER, quantile(column(mean, dim, size).map(Math.abs), 1)));
    Object.assign(input, { type: "range", min: -reach, max: reach, step: "any" });
    input.dataset.dim = dim;
    const move = (settled) => this.moveTo(this.z.with(dim, input.valueAsNumber), settled);
    input.addEventListener("input", () => move(false));
    input.addEventListener("change", () => move(true));
    name.textContent = `z${dim}`;
    label.classList.toggle("unused", rates[dim] < USED);
    label.append(name, input, words);
    return { dim, label, input, words };
  }

  /** The plane's point was moved. */
  drag(x, y, settled) {
    const z = this.z.with(this.dims[0], x);
    this.moveTo(this.dims.length > 1 ? z.with(this.dims[1], y) : z, settled);
  }

  /** Go to the place t, from 0 to 1, of the way between the two images. */
  scrub(t, settled) {
    at("scrub").valueAsNumber = t;
    this.moveTo(this.wayAt(t), settled);
  }

  choosePath(path) {
    this.path = path;
    this.scrub(at("scrub").valueAsNumber, true);
  }

  wayAt(t) {
    const [a, b] = this.ends.images.map((image) => Float64Array.from(rowOf(this.scene.mean, image, this.scene.size)));
    return PATHS[this.path](a, b, t);
  }

  /** Show the position z everywhere. A slow decoder waits until it is ``settled``. */
  moveTo(z, settled) {
    this.z = Float64Array.from(z);
    if (settled || !this.scene.draws) {
      at("picture").classList.toggle("waiting", this.scene.draws);
      this.decode(this.z);
    }
    const nearest = nearestPosterior(this.z, this.scene);
    const way = Array.from({ length: WAY_POINTS + 1 }, (_, i) => this.wayAt(i / WAY_POINTS));
    this.plane.draw({ z: this.z, nearest, way });
    this.showNearest(nearest);
    this.showNumbers();
  }

  showPicture(bytes, z) {
    paint(at("picture"), bytes, this.scene.picture);
    at("picture").classList.remove("waiting");
    at("picture").dispatchEvent(new CustomEvent("painted", { detail: Array.from(z) }));
  }

  showNearest({ image, distance }) {
    const { mean, stddev, priorMean, priorFactor, rate, size } = this.scene;
    const here = logPosterior(this.z, rowOf(mean, image, size), rowOf(stddev, image, size)) - logPrior(this.z, priorMean, priorFactor);
    paintThumbnail(at("nearest"), this.scene, image);
    at("nearest-image").textContent = imageName(this.scene, image);
    at("nearest-distance").textContent = `${distance.toFixed(2)} σ`;
    at("nearest-rate").textContent = `${rate[image].toFixed(2)} nats`;
    at("nearest-here").textContent = `${signed(here)} nats`;
  }

  showNumbers() {
    at("position").textContent = this.dims.map((dim) => `z${dim} = ${signed(this.z[dim])}`).join(", ");
    for (const { dim, input, words } of this.sliders) {
      input.valueAsNumber = this.z[dim];
      words.textContent = `${signed(this.z[dim])} · KL ${this.scene.rates[dim].toFixed(2)}`;
    }
  }
}

/** Tell what went wrong. */
function say(error) {
  at("message").textContent = error.message;
  at("message").hidden = false;
}

async function start() {
  const scene = await readScene();
  const decoder = scene.network ? await fileDecoder(scene) : liveDecoder(`ws://${location.host}/decode`);
  new Explorer(scene, decoder);
}

start().catch(say);
