// The decoder in plain JavaScript: layers as network.py writes them. A picture is (height, width, channels) of bytes.

const HALF_BITS = { exponent: 0x1f, fraction: 0x3ff, bias: 15 };

/** The number that 16 bits mean in IEEE 754 (binary16). */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & HALF_BITS.exponent;
  const fraction = bits & HALF_BITS.fraction;
  if (exponent === HALF_BITS.exponent) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - HALF_BITS.bias);
}

/** The numbers of a block of the page: floats as Float32Array, bytes as Uint8Array. */
async function unpack(block) {
  const packed = Uint8Array.from(atob(block.data), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  if (block.type === "uint8") return new Uint8Array(bytes);
  if (block.type === "float32") return new Float32Array(bytes);
  return Float32Array.from(new Uint16Array(bytes), halfToNumber);
}

/** W h + b, W by rows. */
function linear(layer, h) {
  const { weight, bias } = layer;
  const out = Float64Array.from(bias);
  for (let row = 0, at = 0; row < out.length; row++) {
    let sum = 0;
    for (let column = 0; column < h.length; column++) sum += weight[at++] * h[column];
    out[row] += sum;
  }
  return out;
}

/** b, to whose first values w_i h_i is added. */
function diagonal(layer, h) {
  const out = Float64Array.from(layer.bias);
  layer.weight.forEach((w, i) => (out[i] += w * h[i]));
  return out;
}

/** A transposed convolution of h, (C, H, W), with square kernels, weight (C, channels out, k, k). */
function transposed(layer, h) {
  const [channels, height, width] = layer.input;
  const { weight, bias, stride, padding } = layer;
  const outputs = bias.length;
  const side = Math.round(Math.sqrt(weight.length / (channels * outputs)));
  const rows = (height - 1) * stride - 2 * padding + side;
  const columns = (width - 1) * stride - 2 * padding + side;
  const out = new Float64Array(outputs * rows * columns);
  bias.forEach((b, channel) => out.fill(b, channel * rows * columns, (channel + 1) * rows * columns));
  const shape = { height, width, rows, columns, stride };
  let at = 0;
  for (let from = 0; from < channels; from++) {
    const plane = h.subarray(from * height * width, (from + 1) * height * width);
    for (let to = 0; to < outputs; to++) {
      const target = out.subarray(to * rows * columns, (to + 1) * rows * columns);
      for (let i = 0; i < side; i++)
        for (let j = 0; j < side; j++) spread(plane, target, weight[at++], i - padding, j - padding, shape);
    }
  }
  return out;
}

/** Add w times a plane to the places of another that one element of the kernel reaches. */
function spread(plane, target, w, down, right, { height, width, rows, columns, stride }) {
  const first = Math.max(0, Math.ceil(-right / stride));
  const last = Math.min(width - 1, Math.floor((columns - 1 - right) / stride));
  for (let y = 0; y < height; y++) {
    const row = y * stride + down;
    if (row < 0 || row >= rows) continue;
    let to = row * columns + first * stride + right;
    for (let from = y * width + first; from <= y * width + last; from++, to += stride) target[to] += w * plane[from];
  }
}

/** Add S z: one number for each output, or for each channel and all its places. */
function addSkip(skip, z, outputs, out) {
  const places = out.length / outputs;
  for (let row = 0; row < outputs; row++) {
    let sum = 0;
    for (let i = 0; i < z.length; i++) sum += skip[row * z.length + i] * z[i];
    for (let place = 0; place < places; place++) out[row * places + place] += sum;
  }
}

const LAYERS = { linear, diagonal, transposed };

/** The likelihood's parameters, (C, H, W) flat, of a position z. */
function forward(layers, z) {
  let h = Float64Array.from(z);
  for (const layer of layers) {
    h = LAYERS[layer.kind](layer, h);
    if (layer.skip) addSkip(layer.skip, z, layer.bias.length, h);
    if (layer.relu) h.forEach((value, i) => (h[i] = value > 0 ? value : 0));
  }
  return h;
}

const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The mean of the continuous Bernoulli on [0, 1]; its logits are small where the closed form loses its digits. */
function tiltedMean(logit) {
  const size = Math.abs(logit);
  if (size < 0.01) return 0.5 + logit / 12 - logit ** 3 / 720;
  const toTheEdge = 1 / size + Math.exp(-size) / Math.expm1(-size);
  return logit > 0 ? 1 - toTheEdge : toTheEdge;
}

/** The mean of p(x|z) from one parameter, by the likelihood. */
const MEANS = {
  identity: () => (x) => x,
  sigmoid: () => (x) => 1 / (1 + Math.exp(-x)),
  tilted: () => tiltedMean,
  clipped_logistic: ({ scale }) => (x) => {
    const mean = scale * (softplus(x / scale) - softplus((x - 1) / scale));
    return Math.min(Math.max(mean, 0), 1);
  },
};

/** Bytes of a mean image, of shape (C, H, W): three channels are colours, any others lie side by side. */
function toBytes(mean, [channels, height, width], [low, high]) {
  const bytes = new Uint8ClampedArray(mean.length); // rounds, and cuts off what lies outside 0 to 255
  const scale = 255 / Math.max(high - low, 1e-30);
  const [pixel, channel, row] = channels === 3 ? [3, 1, 3 * width] : [1, width, channels * width];
  let from = 0;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) bytes[y * row + x * pixel + c * channel] = (mean[from++] - low) * scale;
  return bytes;
}

/** A decoder made of what network.py wrote: ``decode(z)`` promises the bytes of a picture. */
async function fileDecoder(scene) {
  const layers = await Promise.all(scene.network.layers.map(unpackLayer));
  const mean = MEANS[scene.network.mean.kind](scene.network.mean);
  return { decode: async (z) => toBytes(forward(layers, z).map(mean), scene.shape, scene.range) };
}

/** A layer with its numbers unpacked. */
async function unpackLayer(layer) {
  const [weight, bias, skip] = await Promise.all([layer.weight, layer.bias, layer.skip].map((part) => part && unpack(part)));
  return { ...layer, weight, bias, skip };
}
