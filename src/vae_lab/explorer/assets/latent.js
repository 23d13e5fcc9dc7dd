// Mathematics of the latent space: ways between two positions, and where a position lies among the posteriors.

const PARALLEL = 1e-6; // radians: vectors nearer to one line than this have no plane of their own
const LOG_TWO_PI = Math.log(2 * Math.PI);

const norm = (v) => Math.hypot(...v);

/** The point at t, from 0 to 1, of the straight line from a to b. */
const lerp = (a, b, t) => a.map((value, i) => (1 - t) * value + t * b[i]);

/** The point at t of the arc from a to b, whose length goes evenly from one's to the other's (Shoemake 1985). */
function slerp(a, b, t) {
  const lengths = [norm(a), norm(b)];
  if (!Math.min(...lengths)) return lerp(a, b, t);
  const [u, v] = [a.map((value) => value / lengths[0]), b.map((value) => value / lengths[1])];
  const angle = 2 * Math.atan2(norm(u.map((value, i) => value - v[i])), norm(u.map((value, i) => value + v[i])));
  if (angle < PARALLEL || angle > Math.PI - PARALLEL) return lerp(a, b, t);
  const length = (1 - t) * lengths[0] + t * lengths[1];
  const [first, second] = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((s) => (s * length) / Math.sin(angle));
  return u.map((value, i) => first * value + second * v[i]);
}

const PATHS = { lerp, slerp };

/** Row n of numbers (N, D). */
const rowOf = (numbers, n, dims) => numbers.subarray(n * dims, (n + 1) * dims);

/** Σ ((z - mean) / stddev)². */
function squaredDistance(z, mean, stddev) {
  let total = 0;
  for (let i = 0; i < z.length; i++) total += ((z[i] - mean[i]) / stddev[i]) ** 2;
  return total;
}

/** The number of the posterior N(mean, stddev²) with the least Mahalanobis distance to z, and that distance. */
function nearestPosterior(z, { mean, stddev, images }) {
  let best = { image: 0, squared: Infinity };
  for (let n = 0; n < images; n++) {
    const squared = squaredDistance(z, rowOf(mean, n, z.length), rowOf(stddev, n, z.length));
    if (squared < best.squared) best = { image: n, squared };
  }
  return { image: best.image, distance: Math.sqrt(best.squared) };
}

/** log q(z) of q = N(mean, stddev²), nats. */
function logPosterior(z, mean, stddev) {
  const logs = stddev.reduce((sum, s) => sum + Math.log(s), 0);
  return -0.5 * (squaredDistance(z, mean, stddev) + z.length * LOG_TWO_PI) - logs;
}

/** log p(z) of a Gaussian prior by its mean and the Cholesky factor of its covariance, rows of a lower triangle. */
function logPrior(z, mean, factor) {
  const size = z.length;
  const white = new Float64Array(size);
  let logs = 0;
  for (let row = 0; row < size; row++) {
    let rest = z[row] - mean[row];
    for (let column = 0; column < row; column++) rest -= factor[row * size + column] * white[column];
    white[row] = rest / factor[row * size + row];
    logs += Math.log(factor[row * size + row]);
  }
  return -0.5 * (white.reduce((sum, w) => sum + w * w, 0) + size * LOG_TWO_PI) - logs;
}
