/** Memory that JavaScript and the kernels share. Nothing is given back: drop the whole heap. */

const PAGE = 65536;
const MOST_PAGES = 65536;

/** Only an isolated page has shared memory, and only a worker may wait in it. */
const threadsPossible = () =>
  globalThis.crossOriginIsolated === true &&
  typeof WorkerGlobalScope === "function" &&
  typeof Worker === "function";

/** A memory that may grow to 4 GiB; one that threads share takes room for it at once. */
export const memoryFor = (shared) =>
  new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared });

export class Heap {
  /** `kernels`: what loadKernels gives. `pool`: the threads that share the heap, if there are any. */
  constructor(kernels, pool = null) {
    this.pool = pool;
    this.memory = pool ? pool.memory : memoryFor(false);
    const module = pool ? kernels.shared : kernels.alone;
    this.kernels = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports;
    this.top = 64;
    this.#views();
  }

  /** The address of so many bytes of zeros, a multiple of 64; views must be read anew after it. */
  alloc(size) {
    const at = this.top;
    this.top = Math.ceil((at + size) / 64) * 64;
    const missing = Math.ceil((this.top + 64 - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) {
      if (this.top + 64 > MOST_PAGES * PAGE) throw new RangeError("out of memory");
      this.memory.grow(missing); // a RangeError where the browser has no more
      this.#views();
    }
    return at;
  }

  #views() {
    const { buffer } = this.memory;
    this.u8 = new Uint8Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
  }
}

async function bytes(name) {
  const url = new URL(`./${name}.wasm`, import.meta.url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname}: the server answers ${answer.status}`);
  return answer.arrayBuffer();
}

async function compiled(suffix, fusedAllowed) {
  if (fusedAllowed) {
    const found = await bytes(`kernels-fused${suffix}`);
    if (WebAssembly.validate(found)) return WebAssembly.compile(found);
  }
  return WebAssembly.compile(await bytes(`kernels${suffix}`));
}

/**
 * The kernels, compiled, with fused products and sums where the browser has them: {alone, shared}.
 * `shared` is for memory that threads share, and null where there can be no threads.
 */
export async function loadKernels({ fusedAllowed = true } = {}) {
  return {
    alone: await compiled("", fusedAllowed),
    shared: threadsPossible() ? await compiled("-shared", fusedAllowed) : null,
  };
}
