/**
 * Several cores for the kernels: threads that share one memory and wait for jobs. A job is one call
 * of a kernel for each thread, on rows of its own, so the results do not depend on their number.
 */

import { memoryFor } from "./heap.js";

const MOST_THREADS = 8;

/** Where things stand in `control`, an Int32Array that all threads share. */
export const CONTROL = { JOB: 0, LEFT: 1, FAILED: 2, CALLS: 16, CALL: 16 };
/** A call: the number of its kernel here, then its arguments. */
export const KERNELS = ["conv", "activate"];

export class ThreadPool {
  /**
   * Threads for one decoder, or null where this browser or page allows one thread only.
   * `kernels`: what loadKernels gives. `threads`: how many, this one included.
   */
  static async start(kernels, threads = Math.min(MOST_THREADS, navigator.hardwareConcurrency ?? 1)) {
    if (!kernels.shared || threads < 2) return null;
    let memory;
    try {
      memory = memoryFor(true);
    } catch (error) {
      if (error instanceof RangeError) return null; // no room for shared memory: one thread has its own
      throw error;
    }
    const pool = new ThreadPool(memory, threads);
    return (await pool.#begin(kernels.shared)) ? pool : null;
  }

  constructor(memory, threads) {
    Object.assign(this, { memory, threads, workers: [] });
    const { CALLS, CALL } = CONTROL;
    this.control = new Int32Array(new SharedArrayBuffer(4 * (CALLS + CALL * threads)));
  }

  /** Whether all threads are ready; where one is not, none is left. */
  async #begin(module) {
    const ready = Array.from({ length: this.threads - 1 }, (_, i) => {
      const worker = new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
      this.workers.push(worker);
      return new Promise((resolve) => {
        worker.onmessage = () => resolve(true);
        worker.onerror = (event) => {
          event.preventDefault();
          resolve(false);
        };
        worker.postMessage({ module, memory: this.memory, control: this.control, number: i + 1 });
      });
    });
    const all = (await Promise.all(ready)).every(Boolean);
    if (!all) this.end();
    return all;
  }

  /** Call a kernel with each of these lists of arguments (one for a thread at most), and wait. */
  run(name, exports, calls) {
    const { control } = this, { JOB, LEFT, FAILED, CALLS, CALL } = CONTROL;
    for (let i = 1; i < this.threads; i++) {
      const at = CALLS + CALL * i;
      control[at] = i < calls.length ? KERNELS.indexOf(name) : -1;
      if (i < calls.length) control.set(calls[i], at + 1);
    }
    Atomics.store(control, LEFT, this.threads - 1);
    Atomics.add(control, JOB, 1);
    Atomics.notify(control, JOB);
    exports[name](...calls[0]);
    for (let left; (left = Atomics.load(control, LEFT)) > 0; ) Atomics.wait(control, LEFT, left);
    if (Atomics.load(control, FAILED)) throw new Error("a thread of the decoder failed");
  }

  /** End the threads; the pool cannot be used after it. */
  end() {
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
  }
}

/** The rows of each thread: [first, end) of `rows`, as even as they can be. */
export function shares(rows, threads) {
  const parts = Math.min(rows, threads);
  return Array.from({ length: parts }, (_, i) =>
    [Math.floor((i * rows) / parts), Math.floor(((i + 1) * rows) / parts)]);
}
