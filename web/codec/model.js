/** A model file: safetensors, its description, its fingerprint (FORMAT.md, "Model file"). */

import { Sha256, hex } from "./checksums.js";
import { CodecError } from "./errors.js";

const fault = (message) => new CodecError("model", `The model file cannot be used: ${message}.`);
const SIZES = { F32: 4, F16: 2, I8: 1, I32: 4 };
const ENCODER_ONLY = ["network.encoder.", "network.binarizer."];
const DEEPEST = 16;

/** A number as it is spelled: the fingerprint covers the spelling. */
class Spelled {
  constructor(text) {
    this.text = text;
  }
  valueOf() {
    return Number(this.text);
  }
}

/** JSON that keeps the spelling of its numbers. */
export function parseSpelled(text) {
  let at = 0;
  const token = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null|NaN|-?Infinity))/y;
  const next = () => {
    token.lastIndex = at;
    const found = token.exec(text);
    if (!found) throw fault("its description is damaged");
    at = token.lastIndex;
    return found;
  };
  const peek = () => {
    const before = at, found = next();
    at = before;
    return found[1];
  };
  const value = (depth) => {
    if (depth > DEEPEST) throw fault("its description is damaged");
    const [, sign, string, number, word] = next();
    if (string !== undefined) return JSON.parse(string);
    if (number !== undefined) return new Spelled(number);
    if (word !== undefined) return { true: true, false: false, null: null }[word];
    if (sign === "[") return items("]", () => value(depth + 1));
    if (sign !== "{") throw fault("its description is damaged");
    const entries = items("}", () => {
      const key = next()[2];
      if (key === undefined || next()[1] !== ":") throw fault("its description is damaged");
      return [JSON.parse(key), value(depth + 1)];
    });
    return new Map(entries);
  };
  const items = (end, item) => {
    const found = [];
    if (peek() === end) return next(), found;
    for (;;) {
      found.push(item());
      const sign = next()[1];
      if (sign === end) return found;
      if (sign !== ",") throw fault("its description is damaged");
    }
  };
  return value(0);
}

/** The canonical text of what `parseSpelled` gave. */
export function canonical(value) {
  if (value instanceof Spelled) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(", ")}]`;
  if (value instanceof Map) {
    const keys = [...value.keys()].sort();
    return `{${keys.map((key) => `${canonical(key)}: ${canonical(value.get(key))}`).join(", ")}}`;
  }
  const text = JSON.stringify(value);
  return text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const plain = (value) =>
  value instanceof Spelled ? Number(value.text)
  : Array.isArray(value) ? value.map(plain)
  : value instanceof Map ? Object.fromEntries([...value].map(([key, v]) => [key, plain(v)]))
  : value;

let halves = null;
/** float32 of the 65536 float16. */
function halfTable() {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let n = 0; n < 65536; n++) {
    const sign = n & 0x8000 ? -1 : 1, exponent = (n >> 10) & 31, fraction = n & 1023;
    halves[n] =
      exponent === 0 ? sign * fraction * 2 ** -24
      : exponent < 31 ? sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
      : fraction ? NaN : sign * Infinity;
  }
  return halves;
}

function values(bytes, kind) {
  const aligned = bytes.slice().buffer;
  if (kind === "I8") return new Int8Array(aligned);
  if (kind === "I32") return new Int32Array(aligned);
  if (kind === "F32") return new Float32Array(aligned);
  const table = halfTable(), bits = new Uint16Array(aligned);
  return Float32Array.from(bits, (n) => table[n]);
}

/**
 * A model: {network, entropy, tensors, fingerprint}; `tensors` maps names to {shape, data}.
 * The bytes are little-endian, as every machine that runs a browser is.
 */
export function readModel(bytes) {
  if (bytes.length < 8) throw fault("it is too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = view.getUint32(0, true);
  if (view.getUint32(4, true) || size > bytes.length - 8) throw fault("it is damaged, or no model file");
  let listed, description;
  try {
    listed = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
    description = parseSpelled(listed.__metadata__.rnncodec);
  } catch (error) {
    if (error instanceof CodecError) throw error;
    throw fault("it is damaged, or no model file of rnncodec");
  }
  if (!(description instanceof Map) || !(description.get("network") instanceof Map))
    throw fault("its description is damaged");
  if (!(Number(description.get("format")) <= 1)) throw fault("it is of a newer version");
  const tensors = readTensors(listed, bytes.subarray(8 + size));
  const parts = new Map(["entropy", "network"].map((key) => [key, description.get(key) ?? null]));
  return {
    network: plain(parts.get("network")),
    entropy: plain(parts.get("entropy")),
    tensors,
    fingerprint: fingerprint(parts, tensors),
  };
}

function readTensors(listed, data) {
  const tensors = new Map();
  for (const [name, entry] of Object.entries(listed)) {
    if (name === "__metadata__" || ENCODER_ONLY.some((prefix) => name.startsWith(prefix))) continue;
    const { dtype, shape, data_offsets: offsets } = entry;
    const count = Array.isArray(shape) ? shape.reduce((a, b) => a * b, 1) : NaN;
    const [begin, end] = Array.isArray(offsets) ? offsets : [];
    const fits = SIZES[dtype] && begin >= 0 && end <= data.length && end - begin === count * SIZES[dtype];
    if (!fits) throw fault(`its tensor ${name} is damaged`);
    const found = values(data.subarray(begin, end), dtype);
    if (found instanceof Float32Array && !found.every(Number.isFinite)) throw fault(`${name} is not finite`);
    tensors.set(name, { shape, data: found });
  }
  return tensors;
}

function fingerprint(parts, tensors) {
  const ascii = new TextEncoder();
  const digest = new Sha256().update(ascii.encode(canonical(parts)));
  for (const name of [...tensors.keys()].sort()) {
    const { shape, data } = tensors.get(name);
    const type = data instanceof Int8Array ? "int8" : data instanceof Int32Array ? "int32" : "float32";
    const sizes = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
    digest.update(ascii.encode(`${name}:torch.${type}:${sizes};`));
    digest.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hex(digest.digest().subarray(0, 16));
}

/** The values of a tensor, if it is there and has this shape. */
export function tensor(model, name, ...shape) {
  const found = model.tensors.get(name);
  if (!found) throw fault(`${name} is missing`);
  if (found.shape.length !== shape.length || found.shape.some((n, i) => n !== shape[i]))
    throw fault(`${name} has the shape ${found.shape}, not ${shape}`);
  return found.data;
}
