/** The page: bytes from a dropped, chosen or downloading file to the worker, pictures to the eye. */

import { View } from "./view.js";

const element = (id) => document.getElementById(id);
const [viewer, stage, canvas, slider, follow, message, status] =
  ["viewer", "stage", "picture", "iteration", "follow", "message", "status"].map(element);
const view = new View(stage, canvas);
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const CHUNK = 1 << 16;
const ZOOM = ["smaller", "fit", "larger"];

let file = 0; // the number of the file that is open
let header = null;
let pictures = [];
let download = null;

worker.onmessage = ({ data }) => {
  if (data.file !== file) return; // of a file that was open before
  ({ header: showHeader, picture: addPicture, end: showEnd, error: showError, busy: say })[data.type](data);
};
worker.onerror = () => showError({ message: "This browser cannot run the decoder." });

function say({ text }) {
  status.textContent = text;
}

function reset(name) {
  download?.abort();
  download = null;
  file += 1;
  header = null;
  pictures = [];
  message.hidden = true;
  canvas.hidden = true;
  slider.disabled = true;
  slider.max = slider.value = 1;
  follow.checked = true;
  for (const id of ["facts", "arrived", "stop"]) element(id).hidden = true;
  for (const id of ZOOM) element(id).disabled = true;
  element("shown").textContent = "–";
  element("empty").textContent = name;
  element("empty").hidden = false;
  viewer.dataset.state = "open";
  viewer.dataset.shown = "";
  say({ text: `Opening ${name} …` });
  worker.postMessage({ type: "open", file });
}

function send(bytes) {
  worker.postMessage({ type: "bytes", file, bytes }, [bytes.buffer]);
}

/** Read a stream to the worker, as its chunks come. */
async function pump(stream, total) {
  const mine = file, reader = stream.getReader(), bar = element("arrived");
  let arrived = 0;
  bar.hidden = !total;
  for (;;) {
    const { done, value } = await reader.read();
    if (file !== mine) return reader.cancel();
    if (done) break;
    arrived += value.length;
    if (total) bar.value = Math.min(1, arrived / total);
    for (let at = 0; at < value.length; at += CHUNK) send(value.slice(at, at + CHUNK));
  }
  bar.hidden = true;
  element("stop").hidden = true;
  worker.postMessage({ type: "close", file });
}

async function openFile(chosen) {
  if (chosen.name.endsWith(".safetensors")) {
    const bytes = new Uint8Array(await chosen.arrayBuffer());
    worker.postMessage({ type: "model", file, bytes }, [bytes.buffer]);
    return say({ text: `The model ${chosen.name} is ready for files that were written with it.` });
  }
  reset(chosen.name);
  const mine = file;
  try {
    await pump(chosen.stream(), 0);
  } catch (error) {
    if (file === mine) showError({ message: `${chosen.name} cannot be read (${error.message}).` });
  }
}

async function openAddress(address) {
  reset(address.split("/").pop());
  const mine = file;
  download = new AbortController();
  element("stop").hidden = false;
  try {
    const answer = await fetch(address, { signal: download.signal });
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    await pump(answer.body, Number(answer.headers.get("Content-Length")));
  } catch (error) {
    if (file !== mine || error.name === "AbortError") return;
    showError({ message: `${address} cannot be downloaded (${error.message}).` });
  }
}

function showHeader(found) {
  header = found.header;
  canvas.width = header.width;
  canvas.height = header.height;
  element("size").textContent = `${header.width} × ${header.height}`;
  element("empty").hidden = false;
  view.fit();
  say({ text: `The header is here; waiting for the first of ${header.iterations} iterations …` });
}

function addPicture({ iteration, bytes, pixels, threads, codeTime, networkTime }) {
  const { width, height } = header;
  pictures.push({ bytes, threads, codeTime, networkTime, image: new ImageData(pixels, width, height) });
  slider.max = iteration;
  slider.disabled = false;
  const first = iteration === 1;
  if (first) {
    canvas.hidden = false;
    element("empty").hidden = true;
    element("facts").hidden = false;
    for (const id of ZOOM) element(id).disabled = false;
    view.fit();
  }
  say({ text: `${iteration} of ${header.iterations} iterations are here.` });
  if (first || follow.checked) show(iteration);
  else label();
}

function show(iteration) {
  const picture = pictures[iteration - 1];
  if (!picture) return;
  slider.value = iteration;
  canvas.getContext("2d").putImageData(picture.image, 0, 0);
  element("bytes").textContent = picture.bytes.toLocaleString("en");
  element("rate").textContent = ((8 * picture.bytes) / (header.width * header.height)).toFixed(3);
  const seconds = pictures.slice(0, iteration).map((p) => p.codeTime + p.networkTime);
  const threads = picture.threads === 1 ? "1 thread" : `${picture.threads} threads`;
  element("time").textContent = `${(seconds.reduce((a, b) => a + b) / 1000).toFixed(1)} s, ${threads}`;
  stage.ariaLabel = `The picture after iteration ${iteration}`;
  label();
  viewer.dataset.shown = iteration;
}

function label() {
  element("shown").textContent = `${slider.value} of ${header.iterations}`;
}

function showEnd({ cut, header: { iterations, profile } }) {
  const count = pictures.length;
  let text = `All ${count} iterations of the file are here.`;
  if (count < iterations) text = `The file has ${count} of the ${iterations} iterations it was written with.`;
  if (cut) text = `The file is cut: ${count} of its ${iterations} iterations are used.`;
  if (profile) text += " Its colour profile is not applied.";
  say({ text });
  viewer.dataset.state = "done";
}

function showError({ message: text }) {
  download?.abort();
  message.textContent = text;
  message.hidden = false;
  for (const id of ["arrived", "stop"]) element(id).hidden = true;
  if (pictures.length) say({ text: `The iterations before are shown.` });
  else {
    say({ text: "" });
    element("empty").textContent = "No picture";
  }
  viewer.dataset.state = "error";
}

slider.addEventListener("input", () => {
  follow.checked = Number(slider.value) === pictures.length;
  show(Number(slider.value));
});
follow.addEventListener("change", () => follow.checked && pictures.length && show(pictures.length));
element("choose").addEventListener("change", ({ target }) => {
  if (target.files.length) openFile(target.files[0]);
  target.value = "";
});
element("stop").addEventListener("click", () => {
  download?.abort();
  for (const id of ["arrived", "stop"]) element(id).hidden = true;
  worker.postMessage({ type: "close", file });
});
element("smaller").addEventListener("click", () => view.zoom(1 / 1.5));
element("larger").addEventListener("click", () => view.zoom(1.5));
element("fit").addEventListener("click", () => view.fit());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !pictures.length) return;
  const step = { "[": -1, "]": 1 }[event.key];
  if (!step) return;
  slider.value = Number(slider.value) + step;
  slider.dispatchEvent(new Event("input"));
});
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    viewer.classList.toggle("over", kind === "dragover");
    const [dropped] = event.dataTransfer?.files ?? [];
    if (kind === "drop" && dropped) openFile(dropped);
  });

const address = new URLSearchParams(location.search).get("file");
if (address) openAddress(address);
