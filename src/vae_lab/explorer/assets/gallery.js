// Pictures on canvases, and the choice of two images to walk between.

const SHOWN = 24; // images to choose from at a time

/** Paint bytes (height, width, channels) on a canvas of that size. */
function paint(canvas, bytes, [height, width, channels]) {
  const image = new ImageData(width, height);
  for (let at = 0; at < height * width; at++)
    for (let c = 0; c < 4; c++) image.data[4 * at + c] = c === 3 ? 255 : bytes[at * channels + (channels === 3 ? c : 0)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** An image of the data as words. */
function imageName(scene, image) {
  return scene.labels ? `${image}, label ${scene.labels[image]}` : `${image}`;
}

/** Paint the thumbnail of an image. */
function paintThumbnail(canvas, scene, image) {
  const size = scene.thumbnail.reduce((a, b) => a * b);
  paint(canvas, scene.thumbnails.subarray(image * size, (image + 1) * size), scene.thumbnail);
}

/** The two ends of a way, and the images that they are chosen from. ``onChoose(end)`` is called for a new one. */
class Ends {
  constructor(scene, onChoose) {
    Object.assign(this, { scene, onChoose, active: 0, first: 0, images: [0, firstOther(scene)] });
    this.buttons = [0, 1].map((end) => document.getElementById(`end-${end}`));
    this.buttons.forEach((button, end) => button.addEventListener("click", () => this.activate(end)));
    document.getElementById("others").addEventListener("click", () => this.turn());
    this.buttons.forEach((_, end) => this.show(end));
    this.fill();
  }

  /** The next chosen image goes to this end. */
  activate(end) {
    this.active = end;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === end));
  }

  show(end) {
    const [canvas, words] = this.buttons[end].children;
    paintThumbnail(canvas, this.scene, this.images[end]);
    words.textContent = `${"AB"[end]}: ${imageName(this.scene, this.images[end])}`;
  }

  choose(image) {
    const end = this.active;
    this.images[end] = image;
    this.show(end);
    this.activate(1 - end);
    this.onChoose(end);
  }

  turn() {
    this.first = this.first + SHOWN < this.scene.images ? this.first + SHOWN : 0;
    this.fill();
  }

  fill() {
    const count = Math.min(SHOWN, this.scene.images - this.first);
    const buttons = Array.from({ length: count }, (_, i) => this.button(this.first + i));
    document.getElementById("gallery").replaceChildren(...buttons);
  }

  button(image) {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    button.type = "button";
    button.title = `image ${imageName(this.scene, image)}`;
    button.setAttribute("aria-label", button.title);
    button.append(canvas);
    button.addEventListener("click", () => this.choose(image));
    paintThumbnail(canvas, this.scene, image);
    return button;
  }
}

/** The first image whose label differs from that of image 0. */
function firstOther({ labels, images }) {
  for (let image = 1; labels && image < images; image++) if (labels[image] !== labels[0]) return image;
  return Math.min(1, images - 1);
}
