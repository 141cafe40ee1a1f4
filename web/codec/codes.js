/** Codes out of segments, whatever their mode: verified before they count. */

import { EntropyModel, TileEntropy } from "./entropy.js";
import { wrongModel } from "./errors.js";
import { Mask, codingOrder } from "./mask.js";
import { RangeDecoders } from "./range.js";
import { BITS, ENTROPY, MASKED_ENTROPY, MASKED_RAW, RAW, tileBounds, verify } from "./reader.js";

const HALF = 32768;

export class CodeReader {
  /** `heap`: one of its own. */
  constructor(heap, model, header) {
    this.header = header;
    this.heap = heap;
    const orders = new Map(), scratches = new Map();
    const diagonal = Math.max(...header.tiles.map(({ h, w }) => Math.min(h, Math.ceil(w / 4))));
    this.coder = new RangeDecoders(heap, Math.max(BITS, diagonal));
    this.model = model.entropy && new EntropyModel(heap, model);
    this.tiles = header.tiles.map((tile) => {
      const key = `${tile.h} ${tile.w}`;
      if (!orders.has(key)) orders.set(key, codingOrder(tile.h, tile.w));
      const order = orders.get(key);
      return {
        ...tile,
        order: order.order,
        mask: header.adaptive ? new Mask(tile.h, tile.w, order) : null,
        entropy: this.model && new TileEntropy(this.model, tile.h, tile.w, scratches),
      };
    });
  }

  /** The codes of the next segment: Uint8Array (h * w * 32) of 0, 1, and 2 where none is sent. */
  read(segment) {
    const { header, tiles } = this;
    const { mode, payload, iteration } = segment;
    if (!this.model && (mode === ENTROPY || mode === MASKED_ENTROPY))
      throw wrongModel(`Iteration ${iteration} is entropy-coded, but this model has no entropy model.`);
    const codes = new Uint8Array(header.h * header.w * BITS);
    if (mode === RAW) {
      for (let i = 0; i < codes.length; i++) codes[i] = (payload[i >> 3] >> (7 - (i & 7))) & 1;
      verify(segment, codes, header);
    }
    const bounds = mode === RAW ? null : tileBounds(payload, tiles.length);
    tiles.forEach((tile, number) => {
      if (bounds) this.coder.start(payload.subarray(bounds[number], bounds[number + 1]));
      if (mode >= MASKED_RAW) tile.mask.read(this.coder);
      const bitsOf = (place) => this.#bits(tile, place, mode, codes);
      if (tile.entropy) tile.entropy.run(iteration - 1, tile.order, this.coder, bitsOf);
      else if (mode !== RAW) tile.order.forEach(bitsOf);
    });
    if (mode !== RAW) verify(segment, codes, header);
    return codes;
  }

  #bits(tile, place, mode, codes) {
    const y = tile.y + Math.floor(place / tile.w), x = tile.x + (place % tile.w);
    const at = BITS * (y * this.header.w + x);
    const found = codes.subarray(at, at + BITS);
    if (mode === RAW) return found;
    if (mode >= MASKED_RAW && tile.mask.ended[place]) {
      found.fill(2);
      return null;
    }
    const { coder, heap } = this;
    if (mode === MASKED_RAW) heap.u16.fill(HALF, coder.p >> 1, (coder.p >> 1) + BITS);
    coder.decode(BITS);
    found.set(heap.u8.subarray(coder.bits, coder.bits + BITS));
    return found;
  }
}
