/** The decoder network (FORMAT.md, "Network"): codes of a tile to its picture, in float32. */

import { CodecError } from "./errors.js";
import { tensor } from "./model.js";
import { BITS } from "./reader.js";
import { shares } from "./threads.js";

const fault = (message) => new CodecError("model", `The model file cannot be used: ${message}.`);
const KERNELS = [1, 1, 3, 3];
const PATCH = 32;
const STATES = { gru: 1, gru_resnet: 1, lstm: 2, assoc_lstm: 3 };

/** A convolution's weights, packed for the kernel. */
class Conv {
  constructor(heap, model, name, inputs, outputs, side, biased) {
    const weight = tensor(model, `${name}.weight`, outputs, inputs, side, side);
    this.side = side;
    this.run = side * inputs;
    this.blocks = Math.ceil(outputs / 8);
    const panel = side * this.run * 8;
    this.weights = heap.alloc(4 * this.blocks * panel);
    const start = this.weights >> 2;
    for (let n = 0, from = 0; n < outputs; n++)
      for (let c = 0; c < inputs; c++)
        for (let i = 0; i < side; i++)
          for (let j = 0; j < side; j++, from++)
            heap.f32[start + (n >> 3) * panel + ((i * side + j) * inputs + c) * 8 + (n & 7)] = weight[from];
    this.bias = 0;
    if (biased) {
      this.bias = heap.alloc(32 * this.blocks);
      heap.f32.set(tensor(model, `${name}.bias`, outputs), this.bias >> 2);
    }
  }
}

/** A map of `channels` floats for each pixel, in a margin of one pixel of zeros. */
class FloatMap {
  constructor(heap, h, w, channels) {
    Object.assign(this, { h, w, channels });
    this.pixel = 4 * channels;
    this.row = (w + 2) * this.pixel;
    this.base = heap.alloc((h + 2) * this.row);
  }
  /** The index of a pixel's first number. */
  at(y, x) {
    return (this.base + (y + 1) * this.row + (x + 1) * this.pixel) >> 2;
  }
}

const check = (number, low, high, name) => {
  if (!Number.isInteger(number) || number < low || number > high) throw fault(`${name} is ${number}`);
  return number;
};

/** The weights in a heap; used by all tiles. */
export class Network {
  constructor(heap, model) {
    const { network } = model;
    this.heap = heap;
    this.cell = network.cell?.name;
    this.alpha = network.cell?.alpha ?? 0.1;
    if (!(this.cell in STATES)) throw fault(`it has a cell ${this.cell}`);
    this.recon = network.recon?.name;
    this.gain = network.recon?.gain ?? 4;
    this.power = network.recon?.power ?? 0.7;
    check(network.iterations, 1, 255, "iterations");
    this.priming = check(network.priming ?? 0, 0, 16, "priming");
    this.diffusion = check(network.diffusion ?? 0, 0, 16, "diffusion");
    const scaled = (n) => check(n * network.width, 8, 4 * n, "width");
    const [c0, c1, c2, c3, c4] = [512, 512, 512, 256, 128].map(scaled);
    this.outputs = [c1, c2, c3, c4];
    this.inputs = [c0, c1 / 4, c2 / 4, c3 / 4];
    const sides = network.hidden_kernels ?? KERNELS;
    const prefix = "network.decoder";
    this.first = new Conv(heap, model, `${prefix}.conv`, BITS, c0, 1, true);
    this.cells = this.outputs.map((N, k) => {
      const name = `${prefix}.cells.${k}`, M = this.inputs[k], side = sides[k];
      if (side !== 1 && side !== 3) throw fault(`hidden_kernels is ${sides}`);
      const parts = { gru: 3, gru_resnet: 3, lstm: 4, assoc_lstm: 4.5 }[this.cell];
      const convs = { W: new Conv(heap, model, `${name}.W`, M, parts * N, 3, true) };
      const gru = this.cell.startsWith("gru");
      convs.U = new Conv(heap, model, `${name}.U`, N, gru ? 2 * N : parts * N, side, false);
      if (gru) convs.U_h = new Conv(heap, model, `${name}.U_h`, N, N, side, false);
      if (this.cell === "gru_resnet") {
        convs.W_h = new Conv(heap, model, `${name}.W_h`, N, N, 1, false);
        convs.W_ox = new Conv(heap, model, `${name}.W_ox`, M, N, 1, false);
      }
      return convs;
    });
    this.last = new Conv(heap, model, `${prefix}.output`, c4 / 4, 3, 1, true);
    this.threads = heap.pool?.threads ?? 1;
    this.spareBytes = 32 * Math.max(...this.cells.map(({ W }) => W.blocks));
    this.spare = heap.alloc(this.threads * this.spareBytes);
    this.zeros = heap.alloc(32 * Math.max(...this.cells.map(({ W }) => W.blocks)));
    if (this.recon === "scaled_additive") this.patches = new PatchGain(model);
    else if (!["one_shot", "additive", "boosted_additive", "boosted_one_shot"].includes(this.recon))
      throw fault(`it has a reconstruction ${this.recon}`);
  }

  /** dst (rows of `dstRow` bytes, pixels of `dstPixel`) = conv of a map, or that added to it. */
  convolve(conv, map, dst, dstRow, dstPixel, { add = false } = {}) {
    const inside = conv.side === 3 ? 0 : map.row + map.pixel;
    this.#run("conv", shares(map.h, this.threads).map(([first, end], i) => [
      map.base + inside + first * map.row, map.row, map.pixel, map.w, (end - first) * map.w,
      conv.side, conv.run, conv.weights, add ? 0 : conv.bias || this.zeros, conv.blocks,
      dst + first * dstRow, dstRow, dstPixel, this.spare + i * this.spareBytes,
    ]));
  }

  /** The sigmoid or tanh of `run` floats of each of `count` pixels, `pixel` bytes apart, in place. */
  activate(at, count, pixel, run, tanh) {
    this.#run("activate", shares(count, this.threads).map(([first, end]) =>
      [at + first * pixel, end - first, pixel, run, tanh]));
  }

  #run(name, calls) {
    const { kernels, pool } = this.heap;
    if (calls.length > 1) pool.run(name, kernels, calls);
    else kernels[name](...calls[0]);
  }

  /** Bytes that a decoder of so many positions needs at least, beside the weights. */
  bytesFor(positions) {
    const states = STATES[this.cell];
    return this.outputs.reduce((sum, N, k) => sum + 4 * positions * 4 ** k * N * states, 0);
  }
}

/** Maps that tiles of one size share. */
class Scratch {
  constructor(network, h, w) {
    const { heap } = network;
    this.codes = new FloatMap(heap, h, w, BITS);
    this.x = network.inputs.map((M, k) => new FloatMap(heap, h << k, w << k, M));
    this.end = new FloatMap(heap, h << 4, w << 4, network.outputs[3] / 4);
    const most = (f) => Math.max(...network.outputs.map((N, k) => f(N, k) * (h << k) * (w << k)));
    this.gates = heap.alloc(32 * most((N, k) => network.cells[k].W.blocks));
    this.extra = heap.alloc(4 * most((N) => N));
    this.output = heap.alloc(32 * (h << 4) * (w << 4));
    this.reset = network.cell.startsWith("gru")
      ? network.outputs.map((N, k) => new FloatMap(heap, h << k, w << k, N)) : [];
  }
}

/** One tile: its states, and its picture as floats. */
export class TileNetwork {
  constructor(network, h, w, scratches) {
    Object.assign(this, { network, h, w });
    const { heap } = network, key = `${h} ${w}`;
    if (!scratches.has(key)) scratches.set(key, new Scratch(network, h, w));
    this.scratch = scratches.get(key);
    this.h_maps = network.outputs.map((N, k) => new FloatMap(heap, h << k, w << k, N));
    const cells = { lstm: 1, assoc_lstm: 1 }[network.cell] ?? 0;
    this.c_maps = network.outputs.map((N, k) => (cells ? heap.alloc(4 * N * (h << k) * (w << k)) : 0));
    this.picture = new Float32Array(3 * 256 * h * w); // (row, column, channel)
  }

  /** Take the codes (h * w * 32 of -1, 0 and 1) of iteration t (from 0) into the picture. */
  run(t, codes) {
    const { network, scratch, h, w, picture } = this;
    const { heap } = network;
    const sends = new Uint8Array(h * w);
    for (let i = 0; i < h * w; i++) sends[i] = codes[BITS * i] !== 0 ? 1 : 0;
    if (t && !sends.includes(1)) return;
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        heap.f32.set(codes.subarray(BITS * (y * w + x), BITS * (y * w + x + 1)), scratch.codes.at(y, x));
    const gains = t && network.patches ? network.patches.of(picture, 16 * h, 16 * w) : null;
    const runs = 1 + network.diffusion + (t ? 0 : network.priming);
    for (let k = 0; k < runs; k++) this.#step();
    this.#combine(t, sends, gains);
  }

  #step() {
    const { network, scratch } = this;
    const [first] = scratch.x;
    network.convolve(network.first, scratch.codes, first.base + first.row + first.pixel, first.row, first.pixel);
    network.cells.forEach((convs, k) => {
      const next = k < 3 ? scratch.x[k + 1] : scratch.end;
      if (network.cell === "lstm") this.#lstm(convs, k, next);
      else if (network.cell === "assoc_lstm") this.#associative(convs, k, next);
      else this.#gru(convs, k, next);
    });
    network.convolve(network.last, scratch.end, scratch.output, 32 * scratch.end.w, 32);
  }

  #gru({ W, U, U_h, W_h, W_ox }, k, next) {
    const { network, scratch } = this;
    const { heap, alpha } = network;
    const { f32 } = heap;
    const x = scratch.x[k], h = this.h_maps[k], reset = scratch.reset[k];
    const N = h.channels, { h: rows, w: cols } = x, count = rows * cols;
    const pixel = 32 * W.blocks, row = cols * pixel, gates = scratch.gates;
    network.convolve(W, x, gates, row, pixel);
    network.convolve(U, h, gates, row, pixel, { add: true });
    network.activate(gates, count, pixel, 2 * N, 0);
    const r = (gates >> 2) + N, step = pixel >> 2;
    for (let y = 0, from = r; y < rows; y++)
      for (let u = 0, a = reset.at(y, 0), b = h.at(y, 0); u < cols; u++, from += step, a += N, b += N)
        for (let n = 0; n < N; n++) f32[a + n] = f32[from + n] * f32[b + n];
    network.convolve(U_h, reset, gates + 8 * N, row, pixel, { add: true });
    network.activate(gates + 8 * N, count, pixel, N, 1);
    const residual = network.cell === "gru_resnet", extra = scratch.extra >> 2;
    if (residual) network.convolve(W_h, h, scratch.extra, 4 * N * cols, 4 * N);
    for (let y = 0, z = gates >> 2, e = extra; y < rows; y++)
      for (let u = 0, b = h.at(y, 0); u < cols; u++, z += step, e += N, b += N)
        for (let n = 0; n < N; n++) {
          const before = f32[b + n];
          const after = before + f32[z + n] * (f32[z + 2 * N + n] - before);
          f32[b + n] = residual ? after + alpha * f32[e + n] : after;
        }
    if (residual) network.convolve(W_ox, x, scratch.extra, 4 * N * cols, 4 * N);
    this.#spread(h, next, residual ? { from: extra, alpha } : null);
  }

  #lstm({ W, U }, k, next) {
    const { network, scratch } = this;
    const { f32 } = network.heap;
    const x = scratch.x[k], h = this.h_maps[k], N = h.channels, { h: rows, w: cols } = x;
    const pixel = 32 * W.blocks, row = cols * pixel, gates = scratch.gates, step = pixel >> 2;
    network.convolve(W, x, gates, row, pixel);
    network.convolve(U, h, gates, row, pixel, { add: true });
    network.activate(gates, rows * cols, pixel, 3 * N, 0);
    network.activate(gates + 12 * N, rows * cols, pixel, N, 1);
    let g = gates >> 2, c = this.c_maps[k] >> 2;
    for (let y = 0; y < rows; y++)
      for (let u = 0, b = h.at(y, 0); u < cols; u++, g += step, c += N, b += N)
        for (let n = 0; n < N; n++) {
          f32[c + n] = f32[g + n] * f32[c + n] + f32[g + N + n] * f32[g + 3 * N + n];
          f32[b + n] = f32[g + 2 * N + n] * Math.tanh(f32[c + n]);
        }
    this.#spread(h, next, null);
  }

  #associative({ W, U }, k, next) {
    const { network, scratch } = this;
    const { f32 } = network.heap;
    const x = scratch.x[k], h = this.h_maps[k], { h: rows, w: cols } = x, M = h.channels / 2;
    const pixel = 32 * W.blocks, row = cols * pixel, gates = scratch.gates, step = pixel >> 2;
    network.convolve(W, x, gates, row, pixel);
    network.convolve(U, h, gates, row, pixel, { add: true });
    network.activate(gates, rows * cols, pixel, 3 * M, 0);
    let g = gates >> 2, c = this.c_maps[k] >> 2;
    const bound = (re, im) => 1 / Math.sqrt(Math.max(1, re * re + im * im));
    for (let y = 0; y < rows; y++)
      for (let u = 0, b = h.at(y, 0); u < cols; u++, g += step, c += 2 * M, b += 2 * M)
        for (let n = 0; n < M; n++) {
          const at = (part) => f32[g + part * M + n];
          const j = bound(at(3), at(4)), r = bound(at(5), at(6)), q = bound(at(7), at(8));
          const i = at(1) * j * r;
          const re = at(0) * f32[c + n] + i * (at(5) * at(3) - at(6) * at(4));
          const im = at(0) * f32[c + M + n] + i * (at(5) * at(4) + at(6) * at(3));
          f32[c + n] = re;
          f32[c + M + n] = im;
          const outRe = q * (at(7) * re - at(8) * im), outIm = q * (at(7) * im + at(8) * re);
          const o = at(2) * bound(outRe, outIm);
          f32[b + n] = o * outRe;
          f32[b + M + n] = o * outIm;
        }
    this.#spread(h, next, null);
  }

  /** Depth to space, of h or of h + alpha * extra. */
  #spread(h, next, extra) {
    const { f32 } = this.network.heap, N = h.channels, M = N / 4;
    let e = extra?.from ?? 0;
    for (let y = 0; y < h.h; y++)
      for (let x = 0, b = h.at(y, 0); x < h.w; x++, b += N, e += N) {
        const upper = next.at(2 * y, 2 * x), lower = next.at(2 * y + 1, 2 * x);
        for (let c = 0, n = 0; c < M; c++, n += 4) {
          const add = (m) => f32[b + n + m] + (extra ? extra.alpha * f32[e + n + m] : 0);
          f32[upper + c] = add(0);
          f32[upper + M + c] = add(1);
          f32[lower + c] = add(2);
          f32[lower + M + c] = add(3);
        }
      }
  }

  #combine(t, sends, gains) {
    const { network, scratch, h, w, picture } = this;
    const { f32 } = network.heap;
    const sums = network.recon === "additive" || network.recon.endsWith("_additive");
    const factor = network.recon === "boosted_additive" ? 1 / (network.gain * (t + 1) ** network.power) : 1;
    const across = Math.ceil(w / 2);
    for (let y = 0, from = scratch.output >> 2, to = 0; y < 16 * h; y++)
      for (let x = 0; x < 16 * w; x++, from += 8, to += 3) {
        if (t && !sends[(y >> 4) * w + (x >> 4)]) continue;
        const scale = gains ? 1 / gains[(y >> 5) * across + (x >> 5)] : factor;
        for (let c = 0; c < 3; c++)
          picture[to + c] = sums ? picture[to + c] + f32[from + c] * scale : f32[from + c];
      }
    if (!picture.every(Number.isFinite)) throw fault("what it makes of this file is not finite");
  }
}

/** The gains of scaled_additive, one for each 32 x 32 pixels. */
class PatchGain {
  constructor(model) {
    const first = model.tensors.get("network.recon.G.0.weight");
    const C = first?.shape[0] ?? 0;
    this.layers = [0, 2, 4, 6, 8].map((n, i) => {
      const [inputs, outputs, side] = [i ? C : 3, i < 4 ? C : 1, i < 4 ? 3 : 2];
      return {
        inputs, outputs, side,
        weight: tensor(model, `network.recon.G.${n}.weight`, outputs, inputs, side, side),
        bias: tensor(model, `network.recon.G.${n}.bias`, outputs),
      };
    });
  }

  of(picture, h, w) {
    const H = Math.ceil(h / PATCH) * PATCH, W = Math.ceil(w / PATCH) * PATCH;
    let map = new Float32Array(3 * H * W), rows = H, cols = W;
    for (let y = 0; y < H; y++)
      for (let x = 0; x < W; x++)
        for (let c = 0; c < 3; c++)
          map[(y * W + x) * 3 + c] = picture[(Math.min(y, h - 1) * w + Math.min(x, w - 1)) * 3 + c];
    for (const layer of this.layers) {
      map = strided(map, rows, cols, layer);
      rows /= 2;
      cols /= 2;
    }
    return map.map((value) => value + 2);
  }
}

function strided(map, rows, cols, { inputs, outputs, side, weight, bias }) {
  const r = side === 3 ? 1 : 0;
  const out = new Float32Array((rows / 2) * (cols / 2) * outputs);
  let to = 0;
  for (let y = 0; y < rows; y += 2)
    for (let x = 0; x < cols; x += 2)
      for (let n = 0; n < outputs; n++, to++) {
        let sum = bias[n];
        for (let i = 0; i < side; i++)
          for (let j = 0; j < side; j++) {
            const v = y + i - r, u = x + j - r;
            if (v < 0 || v >= rows || u < 0 || u >= cols) continue;
            const from = (v * cols + u) * inputs;
            for (let c = 0; c < inputs; c++)
              sum += weight[((n * inputs + c) * side + i) * side + j] * map[from + c];
          }
        out[to] = sum > 0 ? sum : Math.expm1(sum);
      }
  return out;
}
