/** Which positions of a tile still send (FORMAT.md, "Mask" and "Order"). */

/** Raster indices of h x w positions in coding order, and where each diagonal begins. */
export function codingOrder(h, w) {
  const order = new Int32Array(h * w), starts = [0];
  let n = 0;
  for (let step = 0; step < w + 4 * (h - 1); step++) {
    for (let y = Math.max(0, Math.ceil((step - w + 1) / 4)); y < h && 4 * y <= step; y++)
      order[n++] = y * w + step - 4 * y;
    if (n > starts.at(-1)) starts.push(n);
  }
  return { order, starts };
}

export class Mask {
  constructor(h, w, { order, starts }) {
    Object.assign(this, { h, w, order, starts });
    this.ended = new Uint8Array(h * w);
    this.counts = new Float64Array(18);
  }

  /** Read the flags of the next iteration. */
  read(coder) {
    const { order, starts, ended, counts } = this;
    const contexts = [], places = [];
    for (let d = 0; d + 1 < starts.length; d++) {
      contexts.length = places.length = 0;
      for (let i = starts[d]; i < starts[d + 1]; i++) {
        const place = order[i];
        if (ended[place]) continue;
        const c = this.#around(place);
        const n0 = counts[2 * c], n1 = counts[2 * c + 1];
        const p = Math.floor((65536 * (2 * n1 + 1)) / (2 * n0 + 2 * n1 + 2));
        coder.heap.u16[(coder.p >> 1) + places.length] = Math.max(1, p);
        contexts.push(c);
        places.push(place);
      }
      coder.decode(places.length);
      for (let i = 0; i < places.length; i++) {
        const flag = coder.heap.u8[coder.bits + i];
        counts[2 * contexts[i] + flag]++;
        ended[places[i]] = flag;
      }
    }
  }

  #around(place) {
    const { h, w, ended } = this;
    const y = Math.floor(place / w), x = place % w;
    let found = 0;
    for (let v = Math.max(0, y - 1); v <= Math.min(h - 1, y + 1); v++)
      for (let u = Math.max(0, x - 1); u <= Math.min(w - 1, x + 1); u++)
        found += ended[v * w + u]; // its own is 0
    return found;
  }
}
