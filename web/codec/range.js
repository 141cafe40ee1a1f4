/** The range decoder of one tile (FORMAT.md, "Range coder"); the arithmetic is in kernels.wat. */

import { damaged } from "./errors.js";

const UNIT = 65536;
const COSTS = new Int32Array(65537);
for (let a = 0; a <= 65536; a++)
  COSTS[a] = Math.max(0, Math.floor(-Math.log2((256 * a + 1) / 2 ** 24) * UNIT));
const STATE = 24;

/** Where a tile's probabilities and bits are exchanged, and the payload of the segment. */
export class RangeDecoders {
  constructor(heap, most) {
    this.heap = heap;
    this.p = heap.alloc(2 * most);
    this.bits = heap.alloc(most);
    this.payload = 0;
    this.room = 0;
  }

  /** A decoder of some bytes of a payload. Only one is in use at a time. */
  start(bytes) {
    const { heap } = this;
    const words = Math.ceil(bytes.length / 4);
    if (4 * words > this.room) {
      this.room = Math.max(4096, 8 * words);
      this.payload = heap.alloc(this.room);
    }
    if (!this.state) this.state = heap.alloc(STATE);
    const view = new DataView(new ArrayBuffer(4 * words + 8));
    new Uint8Array(view.buffer).set(bytes);
    for (let i = 0; i < words; i++) heap.u32[(this.payload >> 2) + i] = view.getUint32(4 * i);
    const state = this.state >> 2;
    heap.u32.set([view.getUint32(4), view.getUint32(0), 0xffffffff, 0xffffffff], state);
    const end = this.payload + 4 * words;
    heap.u32.set([Math.min(this.payload + 8, end), end], state + 4);
    this.left = (8 * bytes.length + 32) * UNIT;
  }

  /** `count` bits at `this.bits`, for the probabilities at `this.p`. */
  decode(count) {
    const { heap, p, bits } = this;
    if (!heap.kernels.decode(this.state, p, count, bits)) throw damaged("The coded bits are damaged.");
    const { u8, u16 } = heap;
    for (let i = 0, at = p >> 1; i < count; i++, at++)
      this.left -= COSTS[u8[bits + i] ? u16[at] : 65536 - u16[at]];
    if (this.left < 0) throw damaged("The file is damaged: coded bits end too early.");
  }
}
