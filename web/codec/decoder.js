/** Bytes in, pictures out: one after each iteration, as its bytes arrive. */

import { CodeReader } from "./codes.js";
import { CodecError, wrongModel } from "./errors.js";
import { Heap } from "./heap.js";
import { readModel } from "./model.js";
import { Network, TileNetwork } from "./network.js";
import { BITS, Reader } from "./reader.js";

/** What a page takes at most: the states of 4 million pixels are about 500 MB. */
export const MOST_PIXELS = 2 ** 22;

/** A model that is ready to decode; it may be used for one file after the other. */
export class LoadedModel {
  /** `kernels`: what loadKernels gives. */
  constructor(kernels, bytes) {
    this.kernels = kernels;
    this.model = readModel(bytes);
    this.fingerprint = this.model.fingerprint;
  }
}

/**
 * One file. `feed` bytes, `close` at the end, and take what `next` gives: {header}, {missing},
 * {picture} or {end}. The model is needed once the header is there: set `decoder.model`. Set
 * `decoder.pool` too where threads are to share the work; who started the pool ends it.
 */
export class Decoder {
  constructor({ maxPixels = MOST_PIXELS } = {}) {
    this.reader = new Reader(maxPixels);
    this.model = null;
    this.pool = null;
    this.bytes = 0;
  }

  feed(bytes) {
    this.reader.feed(bytes);
  }

  close() {
    this.reader.close();
  }

  next() {
    const event = this.reader.next();
    if (!event.segment) return event;
    if (!this.codes) this.#start(this.reader.header);
    const { segment } = event;
    const started = performance.now();
    const codes = this.codes.read(segment);
    const decoded = performance.now();
    const pixels = this.#paint(segment.iteration - 1, codes);
    return {
      picture: {
        iteration: segment.iteration,
        bytes: segment.end,
        codes,
        pixels,
        threads: this.pool?.threads ?? 1,
        codeTime: decoded - started,
        networkTime: performance.now() - decoded,
      },
    };
  }

  /** Refuse a model that is not the file's. */
  check(loaded) {
    const { header } = this.reader, { model } = loaded;
    if (loaded.fingerprint !== header.fingerprint)
      throw wrongModel(
        `The file was written with model ${header.fingerprint}; this is model ${loaded.fingerprint}.`
      );
    const most = Math.min(model.network.iterations, model.entropy?.iterations ?? 255);
    if (header.iterations > most)
      throw wrongModel(`The file has ${header.iterations} iterations, but its model has ${most}.`);
  }

  #start(header) {
    this.check(this.model);
    const { kernels, model } = this.model;
    try {
      this.codes = new CodeReader(new Heap(kernels), model, header);
      const network = new Network(new Heap(kernels, this.pool), model), scratches = new Map();
      this.tiles = header.tiles.map(({ h, w }) => new TileNetwork(network, h, w, scratches));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new CodecError("damaged", "This picture needs more memory than the browser has.");
    }
  }

  /** The RGBA pixels after iteration t (from 0). */
  #paint(t, codes) {
    const { header } = this.reader, { width, height } = header;
    const rgba = new Uint8ClampedArray(4 * width * height);
    header.tiles.forEach((place, number) => {
      const tile = this.tiles[number];
      const own = new Float32Array(BITS * place.h * place.w);
      for (let y = 0, to = 0; y < place.h; y++) {
        const from = BITS * ((place.y + y) * header.w + place.x);
        for (let i = 0; i < BITS * place.w; i++, to++) {
          const bit = codes[from + i];
          own[to] = bit === 2 ? 0 : 2 * bit - 1;
        }
      }
      tile.run(t, own);
      const bottom = Math.min(16 * place.h, height - 16 * place.y);
      const right = Math.min(16 * place.w, width - 16 * place.x);
      for (let y = 0; y < bottom; y++) {
        let from = 3 * y * 16 * place.w, to = 4 * ((16 * place.y + y) * width + 16 * place.x);
        for (let x = 0; x < right; x++, from += 3, to += 4) {
          let r = toByte(tile.picture[from]), g = toByte(tile.picture[from + 1]), b = toByte(tile.picture[from + 2]);
          if (header.grey) r = g = b = Math.floor((r + g + b + 1) / 3);
          rgba[to] = r;
          rgba[to + 1] = g;
          rgba[to + 2] = b;
          rgba[to + 3] = 255;
        }
      }
    });
    return rgba;
  }
}

/** The 8-bit value of a float picture: halves to even. */
function toByte(value) {
  const scaled = Math.fround(Math.fround(value + 0.5) * 255);
  const rounded = Math.round(scaled);
  const even = rounded - scaled === 0.5 && rounded % 2 ? rounded - 1 : rounded;
  return Math.max(0, Math.min(255, even));
}
