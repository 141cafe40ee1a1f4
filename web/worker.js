/** Decodes beside the page, one file at a time: {open}, {bytes}..., {close}; also {model}. */

import { Decoder, LoadedModel } from "./codec/decoder.js";
import { CodecError } from "./codec/errors.js";
import { loadKernels } from "./codec/heap.js";
import { ThreadPool } from "./codec/threads.js";

const models = new Map();
let kernels = null;
let open = null; // {file, decoder, running}

self.onmessage = ({ data }) => {
  if (data.type === "model") return takeModel(data);
  if (data.type === "open") {
    finish(open);
    open = { file: data.file, decoder: new Decoder(), running: false };
    return;
  }
  if (!open || data.file !== open.file) return;
  if (data.type === "bytes") open.decoder.feed(data.bytes);
  else open.decoder.close();
  drain(open);
};

const tell = (of, type, more, transfer = []) =>
  self.postMessage({ type, file: of.file, ...more }, transfer);

async function takeModel({ file, bytes }) {
  try {
    await addModel(bytes);
  } catch (error) {
    tell({ file }, "error", { message: reason(error) });
  }
}

async function addModel(bytes) {
  kernels ??= loadKernels();
  const loaded = new LoadedModel(await kernels, bytes);
  models.set(loaded.fingerprint, loaded);
  return loaded;
}

/** The model of a file: one that was dropped here, or that the page's server has. */
async function modelOf(fingerprint) {
  if (models.has(fingerprint)) return models.get(fingerprint);
  const answer = await fetch(new URL(`models/${fingerprint}.safetensors`, import.meta.url)).catch(() => null);
  if (!answer?.ok)
    throw new CodecError(
      "model",
      `The file was written with model ${fingerprint}, which this page does not have. ` +
        "Drop that model file here, then the file again."
    );
  return addModel(new Uint8Array(await answer.arrayBuffer()));
}

/** The threads of a file end with it. */
function finish(of) {
  of?.decoder.pool?.end();
}

async function drain(of) {
  if (of.running) return;
  of.running = true;
  try {
    while (of === open && (await step(of)));
  } catch (error) {
    if (of === open) tell(of, "error", { message: reason(error), kind: error.kind });
    if (of === open) open = null;
    finish(of);
  } finally {
    of.running = false;
  }
}

/** One event; whether there may be another one already. */
async function step(of) {
  const event = of.decoder.next();
  if (event.header) {
    const { width, height, iterations, profile } = event.header;
    tell(of, "header", { header: { width, height, iterations, profile: profile.length } });
    tell(of, "busy", { text: "Reading the model …" });
    of.decoder.model = await modelOf(event.header.fingerprint);
    of.decoder.check(of.decoder.model);
    of.decoder.pool = await ThreadPool.start(of.decoder.model.kernels);
    if (of !== open) finish(of);
    return true;
  }
  if (event.picture) {
    const { codes, ...rest } = event.picture;
    tell(of, "picture", rest, [rest.pixels.buffer]);
    await new Promise((resolve) => setTimeout(resolve)); // let messages in
    return true;
  }
  if (event.end) {
    const { iterations, profile } = of.decoder.reader.header;
    finish(of);
    tell(of, "end", { cut: event.cut, header: { iterations, profile: profile.length } });
  }
  return false;
}

function reason(error) {
  if (error instanceof CodecError) return error.message;
  if (error instanceof RangeError) return "This picture needs more memory than the browser has.";
  return `This browser cannot decode the file (${error.message}).`;
}
