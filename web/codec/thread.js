/** One more thread of a ThreadPool: it waits for jobs until it is terminated. */

import { CONTROL, KERNELS } from "./threads.js";

self.onmessage = ({ data: { module, memory, control, number } }) => {
  const { JOB, LEFT, FAILED, CALLS, CALL } = CONTROL, at = CALLS + CALL * number;
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  let job = Atomics.load(control, JOB);
  self.postMessage("ready");
  for (;;) {
    Atomics.wait(control, JOB, job);
    const next = Atomics.load(control, JOB);
    if (next === job) continue;
    job = next;
    try {
      if (control[at] >= 0) exports[KERNELS[control[at]]](...control.subarray(at + 1, at + CALL));
    } catch {
      Atomics.store(control, FAILED, 1); // the thread that waits says so
    }
    if (Atomics.sub(control, LEFT, 1) === 1) Atomics.notify(control, LEFT);
  }
};
