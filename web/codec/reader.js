/** The structure of a file, as its bytes arrive (FORMAT.md, "Header" to "Segment"). */

import { crc32, hex } from "./checksums.js";
import { CodecError, damaged, incomplete, newer } from "./errors.js";

export const BITS = 32;
const MAGIC = [0x89, 0x52, 0x4e, 0x43];
const FIXED = 38;
const MOST_POSITIONS = 2 ** 24 - 1;
const MOST_IN_A_TILE = 65536;
const MOST_TILES = 4096;
const MOST_PROFILE = 4194304;
export const RAW = 0, ENTROPY = 1, MASKED_RAW = 2, MASKED_ENTROPY = 3;

/** The header from the bytes so far, or how many there must be at least: {header} or {missing}. */
export function readHeader(bytes, maxPixels = Infinity) {
  for (let i = 0; i < Math.min(4, bytes.length); i++)
    if (bytes[i] !== MAGIC[i]) throw new CodecError("foreign", "This is not an rnc file.");
  if (bytes.length > 4 && bytes[4] !== 1)
    throw newer(`The file has version ${bytes[4]} of the format; this page reads version 1.`);
  if (bytes.length < FIXED) return { missing: FIXED - bytes.length };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const crc = crc32(bytes.subarray(0, 34));
  if (view.getUint32(34) !== crc) throw damaged("The header is damaged: its checksum differs.");
  const flags = bytes[5];
  if (flags & ~3) throw newer(`The file has flags (${flags}) of a newer version.`);
  let size = FIXED;
  if (flags & 1) {
    if (bytes.length < FIXED + 8) return { missing: FIXED + 8 - bytes.length };
    const length = view.getUint32(FIXED);
    if (length < 1 || length > MOST_PROFILE)
      throw damaged(`The colour profile has ${length} bytes; at most ${MOST_PROFILE} are allowed.`);
    size += 8 + length;
    if (bytes.length < size) return { missing: size - bytes.length };
  }
  if (bytes[6] > 1) throw newer(`The file has colour mode ${bytes[6]} of a newer version.`);
  const header = {
    adaptive: (flags & 2) !== 0,
    grey: bytes[6] === 1,
    iterations: bytes[7],
    width: view.getUint32(8),
    height: view.getUint32(12),
    tile: view.getUint16(16),
    fingerprint: hex(bytes.subarray(18, 34)),
    profile: bytes.slice(Math.min(size, FIXED + 8), size),
    checksum: crc,
    size,
  };
  checkSizes(header);
  if (flags & 1) {
    header.checksum = crc32(header.profile, crc);
    if (view.getUint32(FIXED + 4) !== header.checksum)
      throw damaged("The colour profile is damaged: its checksum differs.");
  }
  if (header.width * header.height > maxPixels)
    throw damaged(
      `The picture has ${header.width} x ${header.height} pixels; this page shows at most ` +
        `${Math.round(maxPixels / 1e6)} million.`
    );
  return { header };
}

function checkSizes(header) {
  const { iterations, width, height, tile } = header;
  if (!iterations || !width || !height)
    throw damaged(`The header is damaged: ${width} x ${height} pixels, ${iterations} iterations.`);
  const h = (header.h = Math.ceil(height / 16)), w = (header.w = Math.ceil(width / 16));
  if (h * w > MOST_POSITIONS) throw damaged(`${width} x ${height} pixels are more than the format allows.`);
  const side = tile || Math.max(h, w);
  if (Math.min(side, h) * Math.min(side, w) > MOST_IN_A_TILE)
    throw damaged("A tile of the file is larger than the format allows.");
  if (Math.ceil(h / side) * Math.ceil(w / side) > MOST_TILES)
    throw damaged("The file has more tiles than the format allows.");
  header.tiles = [];
  for (let y = 0; y < h; y += side)
    for (let x = 0; x < w; x += side)
      header.tiles.push({ y, x, h: Math.min(side, h - y), w: Math.min(side, w - x) });
  header.rawSize = 4 * h * w;
  header.maskedLimit = Math.min(2 * header.rawSize, 2 ** 26 - 1);
}

/** An integer of one to four bytes: {value, next}, or null if the bytes end inside it. */
export function readInteger(bytes, at) {
  let value = 0;
  for (let i = at; i < Math.min(at + 4, bytes.length); i++) {
    if (i === at && bytes[i] === 0x80) throw damaged("A length in the file is not in its shortest form.");
    value = value * 128 + (bytes[i] & 0x7f);
    if (bytes[i] < 0x80) return { value, next: i + 1 };
  }
  if (bytes.length - at >= 4) throw damaged("A length in the file has more than four bytes.");
  return null;
}

function checkTag(tag, header, iteration) {
  const mode = tag & 3, length = Math.floor(tag / 4);
  const masked = header.adaptive && iteration > 1;
  if (mode >= MASKED_RAW !== masked) throw damaged(`Iteration ${iteration} is damaged: it has mode ${mode}.`);
  const fits =
    mode === RAW ? length === header.rawSize
    : mode === ENTROPY ? length < header.rawSize
    : length <= header.maskedLimit;
  if (!fits) throw damaged(`Iteration ${iteration} is damaged: a length of ${length} bytes cannot be.`);
  return { mode, length };
}

/** Feed it bytes, and take events: {header}, {segment}, {missing} or {end}; an error is final. */
export class Reader {
  constructor(maxPixels) {
    this.maxPixels = maxPixels;
    this.bytes = new Uint8Array(0);
    this.offset = 0;
    this.closed = false;
    this.header = null;
    this.iteration = 0;
  }

  feed(bytes) {
    const joined = new Uint8Array(this.bytes.length + bytes.length);
    joined.set(this.bytes);
    joined.set(bytes, this.bytes.length);
    this.bytes = joined;
  }

  close() {
    this.closed = true;
  }

  next() {
    if (!this.header) return this.#header();
    if (this.iteration === this.header.iterations) {
      if (this.bytes.length) throw damaged("There are bytes after the last iteration of the file.");
      return { end: true, cut: false };
    }
    return this.#segment();
  }

  #header() {
    const found = readHeader(this.bytes, this.maxPixels);
    if (found.missing) {
      if (this.closed) throw incomplete("The file ends inside its header.");
      return found;
    }
    this.header = found.header;
    this.checksum = found.header.checksum;
    this.#consume(found.header.size);
    return found;
  }

  #segment() {
    const tag = readInteger(this.bytes, 0);
    if (!tag) return this.#wait(1);
    const iteration = this.iteration + 1;
    const { mode, length } = checkTag(tag.value, this.header, iteration);
    const start = tag.next + 4, end = start + length;
    if (this.bytes.length < end) return this.#wait(end - this.bytes.length);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset);
    const segment = {
      iteration,
      mode,
      tag: this.bytes.slice(0, tag.next),
      checksum: view.getUint32(tag.next),
      previous: this.checksum,
      payload: this.bytes.slice(start, end),
      end: this.offset + end,
    };
    this.iteration = iteration;
    this.checksum = segment.checksum;
    this.#consume(end);
    return { segment };
  }

  #wait(missing) {
    if (!this.closed) return { missing };
    if (!this.iteration) throw incomplete("The file ends before its first iteration is complete.");
    return { end: true, cut: this.bytes.length > 0 };
  }

  #consume(size) {
    this.bytes = this.bytes.subarray(size);
    this.offset += size;
  }
}

/** Where each tile of a coded payload begins, and the payload's end. */
export function tileBounds(payload, count) {
  const lengths = [];
  let at = 0;
  for (let i = 1; i < count; i++) {
    const found = readInteger(payload, at);
    if (!found) throw damaged("The table of tiles is cut short.");
    lengths.push(found.value);
    at = found.next;
  }
  const bounds = [at];
  for (const length of lengths) bounds.push(bounds.at(-1) + length);
  if (bounds.at(-1) > payload.length) throw damaged("The lengths of the tiles are larger than the payload.");
  bounds.push(payload.length);
  return bounds;
}

/** Hold decoded codes (h * w * 32 of 0, 1 and 2) against a segment's CRC-32. */
export function verify(segment, codes, header) {
  const positions = header.h * header.w;
  const packed = new Uint8Array(4 * positions);
  for (let i = 0; i < codes.length; i++) if (codes[i] === 1) packed[i >> 3] |= 0x80 >> (i & 7);
  let crc = crc32(packed, crc32(segment.tag, segment.previous));
  if (segment.mode >= MASKED_RAW) {
    const mask = new Uint8Array(Math.ceil(positions / 8));
    for (let i = 0; i < positions; i++) if (codes[BITS * i] !== 2) mask[i >> 3] |= 0x80 >> (i & 7);
    crc = crc32(mask, crc);
  }
  if (crc !== segment.checksum)
    throw damaged(`Iteration ${segment.iteration} is damaged: its codes do not match its checksum.`);
}
