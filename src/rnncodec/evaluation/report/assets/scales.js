// Axes: from values to pixels, and where the ticks go.

const log10 = Math.log10;
const toDecibel = (value) => -10 * log10(Math.max(1 - value, 1e-6));

const transforms = { linear: (value) => value, log: log10, db: toDecibel };

function scale(kind, [low, high], [start, end]) {
  const transform = transforms[kind];
  const [a, b] = [transform(low), transform(high)];
  return (value) => start + ((transform(value) - a) / (b - a)) * (end - start);
}

function evenTicks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) ticks.push(Number((k * step).toPrecision(8)));
  return ticks;
}

const RATE_TICKS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const NEAR_ONE = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999];

function ticksOf(kind, [low, high], position, room) {
  if (kind === "linear") return evenTicks(low, high, Math.max(2, Math.round(room / (position ? 110 : 55))));
  const candidates = kind === "log" ? RATE_TICKS : NEAR_ONE;
  return candidates.filter((tick) => tick >= low * 0.999 && tick <= high * 1.0001);
}

// The range of the quality axis, with a little air above and below, in the axis's own spacing.
function padded(kind, values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (kind === "db") {
    const [a, b] = [toDecibel(low), toDecibel(high)];
    const air = 0.05 * (b - a) + 0.1;
    return [1 - 10 ** (-(a - air) / 10), 1 - 10 ** (-(b + air) / 10)];
  }
  const air = 0.05 * (high - low) || 0.5;
  return [low - air, high + air];
}
