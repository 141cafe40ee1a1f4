/** The entropy models in integers (FORMAT.md, "Entropy model"). */

import { CodecError } from "./errors.js";
import { tensor } from "./model.js";
import { BITS } from "./reader.js";

const fault = (message) => new CodecError("model", `The model file cannot be used: ${message}.`);

const within = (x, low, high) => Math.max(low, Math.min(high, x));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const sample = (half, f) => Array.from({ length: 2 * half }, (_, i) => Math.floor(f(i - half) + 0.5));
const TANH = { half: 1024, bits: 7, values: sample(1024, (i) => within(128 * Math.tanh(i / 128), -127, 127)) };
const GATE = { half: 1024, bits: 7, values: sample(1024, (i) => 1024 * sigmoid(i / 128)) };
const PROB = { half: 4096, bits: 8, values: sample(4096, (i) => within(65536 * sigmoid(i / 256), 1, 65535)) };
export const TABLES = { TANH, GATE, PROB };
const MARGIN = 3;

function specs(name, T, H) {
  const progressive = name === "progressive";
  const found = {
    context: [TANH, 0, T, 24 * BITS, H],
    line: [GATE, 7, T, (progressive ? 7 : 5) * H, 4 * H],
    output: [TANH, 7, T, H, H],
    logits: [PROB, 7, T, H, BITS],
  };
  if (!progressive) return found;
  return {
    ...found,
    prior: [TANH, 7, T, 9 * BITS, H],
    past_a: [TANH, 0, T - 1, 9 * BITS, H],
    past_b: [TANH, 7, T - 1, 9 * H, BITS],
    memory: [GATE, 7, 1, BITS + H, 4 * H],
    recall_a: [TANH, 7, 1, H, H],
    recall_b: [TANH, 7, 1, H, BITS],
  };
}

/** The layers of a model in a heap: made once, used by all tiles. */
export class EntropyModel {
  constructor(heap, model) {
    const { name, iterations, hidden } = model.entropy;
    if (name !== "progressive" && name !== "binary_rnn") throw fault(`it has an entropy model ${name}`);
    for (const n of [iterations, hidden])
      if (!Number.isInteger(n) || n < 1 || n > 1024) throw fault("its entropy model's sizes are wrong");
    this.heap = heap;
    this.iterations = iterations;
    this.hidden = hidden;
    this.progressive = name === "progressive";
    const tables = new Map();
    for (const table of [TANH, GATE, PROB]) {
      const at = heap.alloc(2 * table.values.length);
      heap.u16.set(table.values, at >> 1);
      tables.set(table, at);
    }
    this.layers = {};
    for (const [layer, spec] of Object.entries(specs(name, iterations, hidden)))
      this.layers[layer] = packed(heap, model, layer, spec, tables);
    this.sums = heap.alloc(64);
    const widest = Math.max(24 * BITS, 9 * BITS, 9 * hidden, 7 * hidden, BITS + hidden);
    this.x = heap.alloc(2 * (widest + 2));
    this.y = heap.alloc(2 * 4 * hidden + 2 * BITS);
    this.gates = heap.alloc(2 * 4 * hidden);
  }

  /** Apply a layer of iteration t (from 0) to the numbers at x: they go to `out`. */
  apply(name, t, x, out) {
    const l = this.layers[name], g = l.groups === 1 ? 0 : t;
    this.heap.kernels.layer(
      x, l.pairs, l.weights + g * l.weightBytes, l.outputs, l.bias + g * l.biasBytes,
      l.shifts + g * l.shiftBytes, l.table, l.half, out, this.sums
    );
  }

  /** One LSTM step: gates at this.gates, c in place, h to its place (indices of int16). */
  lstm(h, c) {
    const { i16 } = this.heap, H = this.hidden, g = this.gates >> 1, gate = GATE.values;
    for (let k = 0; k < H; k++) {
      const f = i16[g + k], i = i16[g + H + k], o = i16[g + 2 * H + k], s = i16[g + 3 * H + k];
      const cell = within((f * i16[c + k] + i * (2 * s - 1024) + 512) >> 10, -8191, 8191);
      const j = within((cell + 2) >> 2, -1024, 1023);
      i16[c + k] = cell;
      i16[h + k] = within((o * (2 * gate[j + 1024] - 1024) + 4096) >> 13, -127, 127);
    }
  }
}

function packed(heap, model, name, [table, inputBits, groups, K, N], tables) {
  const weight = tensor(model, `entropy.${name}.weight`, groups, K, N);
  const exponent = tensor(model, `entropy.${name}.exponent`, groups, N);
  const bias = tensor(model, `entropy.${name}.bias`, groups, N);
  const pairs = Math.ceil(K / 2), blocks = Math.ceil(N / 16);
  const layer = {
    groups, pairs, outputs: N, half: table.half, table: tables.get(table),
    weightBytes: blocks * pairs * 64, biasBytes: 4 * N, shiftBytes: 2 * N,
  };
  layer.weights = heap.alloc(groups * layer.weightBytes);
  layer.bias = heap.alloc(groups * layer.biasBytes);
  layer.shifts = heap.alloc(groups * layer.shiftBytes);
  for (let g = 0; g < groups; g++) {
    const to = (layer.weights + g * layer.weightBytes) >> 1;
    for (let k = 0; k < K; k++)
      for (let n = 0, from = (g * K + k) * N; n < N; n++, from++)
        heap.i16[to + ((n >> 4) * pairs + (k >> 1)) * 32 + (n & 15) * 2 + (k & 1)] = weight[from];
    for (let n = 0; n < N; n++) {
      const at = g * N + n, e = exponent[at], d = e + inputBits - table.bits;
      if (e < 0 || e > 10) throw fault(`an exponent of ${name} is ${e}`);
      let total = 0;
      for (let k = 0; k < K; k++) total += Math.abs(weight[(g * K + k) * N + n]);
      const u = Math.max(d, 1);
      const largest =
        (total * (inputBits ? 127 : 1) + Math.abs(bias[at])) * 2 ** (u - d) + (table.half + 0.5) * 2 ** u;
      if (largest >= 2 ** 24) throw fault(`the sums of ${name} may leave their range`);
      heap.i32[(layer.bias >> 2) + at] = bias[at] + (d > 0 ? 2 ** (d - 1) : 0);
      heap.u8[layer.shifts + 2 * at] = Math.max(0, -d);
      heap.u8[layer.shifts + 2 * at + 1] = Math.max(0, d);
    }
  }
  return layer;
}

/** A map of `channels` int16 for each position, in a margin of zeros. */
class Plane {
  constructor(heap, h, w, channels) {
    this.row = (w + 2 * MARGIN) * channels;
    this.channels = channels;
    this.size = (h + 2 * MARGIN) * this.row;
    this.start = heap.alloc(2 * this.size) >> 1;
  }
  /** The index of a position's first number. */
  at(y, x) {
    return this.start + (y + MARGIN) * this.row + (x + MARGIN) * this.channels;
  }
  clear(i16) {
    i16.fill(0, this.start, this.start + this.size);
  }
}

/** What is computed on within an iteration; tiles of one size use it one after the other. */
class Scratch {
  constructor(model, h, w) {
    const { heap, hidden: H } = model;
    this.inputs = new Plane(heap, h, w, H * (model.progressive ? 2 : 1));
    this.h = new Plane(heap, h, w, H);
    this.c = new Plane(heap, h, w, H);
    if (model.progressive) this.a = new Plane(heap, h, w, H);
  }
}

/** The codes of one tile, iteration by iteration. */
export class TileEntropy {
  constructor(model, h, w, scratches) {
    Object.assign(this, { model, h, w });
    const key = `${h} ${w}`;
    if (!scratches.has(key)) scratches.set(key, new Scratch(model, h, w));
    this.scratch = scratches.get(key);
    this.codes = new Plane(model.heap, h, w, BITS);
    if (model.progressive) {
      this.state = new Plane(model.heap, h, w, BITS);
      this.m = new Plane(model.heap, h, w, model.hidden);
      this.n = new Plane(model.heap, h, w, model.hidden);
    }
  }

  /**
   * Decode iteration t (from 0). `bitsOf(place)` gives the bits of a raster place, for the
   * probabilities that `coder.p` then holds: it calls the coder, or knows them; null: none sent.
   * Codes of 0, 1 and 2 go to `out` by `write(place, bits, from)`.
   */
  run(t, order, coder, bitsOf) {
    const { model, codes, scratch, w } = this;
    const { heap, hidden: H } = model;
    const { i16 } = heap;
    codes.clear(i16);
    for (const plane of Object.values(scratch)) plane.clear(i16);
    const x = model.x >> 1, { inputs, h, c } = scratch, width = inputs.channels;
    for (const place of order) {
      const y = Math.floor(place / w), u = place % w;
      const here = inputs.at(y, u);
      let to = x;
      for (let v = y - 3; v < y; v++, to += 7 * BITS) copy(i16, to, codes.at(v, u - 3), 7 * BITS);
      copy(i16, to, codes.at(y, u - 3), 3 * BITS);
      model.apply("context", t, model.x, 2 * here);
      if (model.progressive) {
        this.#window(this.state, y, u);
        model.apply("prior", t, model.x, 2 * (here + H));
      }
      copy(i16, x, here - width, 2 * width);
      copy(i16, x + 2 * width, h.at(y - 1, u - 1), 3 * H);
      model.apply("line", t, model.x, model.gates);
      const cell = c.at(y, u), hidden = h.at(y, u);
      copy(i16, cell, c.at(y - 1, u), H);
      model.lstm(hidden, cell);
      copy(i16, x, hidden, H);
      model.apply("output", t, model.x, model.y);
      model.apply("logits", t, model.y, coder.p);
      const at = codes.at(y, u), bits = bitsOf(place);
      if (bits) for (let k = 0; k < BITS; k++) i16[at + k] = 2 * bits[k] - 1;
    }
    if (model.progressive && t + 1 < model.iterations) this.#remember(t);
  }

  #window(plane, y, u) {
    const { i16 } = this.model.heap, size = 3 * plane.channels;
    for (let v = y - 1, to = this.model.x >> 1; v <= y + 1; v++, to += size)
      copy(i16, to, plane.at(v, u - 1), size);
  }

  /** Bring the memory from before iteration t to after it. */
  #remember(t) {
    const { model, codes, scratch, state, m, n, h, w } = this;
    const { i16 } = model.heap, x = model.x >> 1, H = model.hidden;
    for (let y = 0; y < h; y++)
      for (let u = 0; u < w; u++) {
        this.#window(codes, y, u);
        model.apply("past_a", t, model.x, 2 * scratch.a.at(y, u));
      }
    for (let y = 0; y < h; y++)
      for (let u = 0; u < w; u++) {
        this.#window(scratch.a, y, u);
        model.apply("past_b", t, model.x, model.y);
        copy(i16, x, model.y >> 1, BITS);
        copy(i16, x + BITS, m.at(y, u), H);
        model.apply("memory", t, model.x, model.gates);
        model.lstm(m.at(y, u), n.at(y, u));
        copy(i16, x, m.at(y, u), H);
        model.apply("recall_a", t, model.x, model.y);
        model.apply("recall_b", t, model.y, 2 * state.at(y, u));
      }
  }
}

function copy(i16, to, from, count) {
  i16.copyWithin(to, from, from + count);
}
