"""A decoder out of FORMAT.md, with NumPy and the standard library alone: slow, but all there.

Run as `python tests/conformance/numpy_decoder.py MODEL FILE CODES PIXELS`.
It shares no code with rnncodec, and shows what the text of the format comes to.
"""

import hashlib
import json
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

BITS = 32


class RefusedError(Exception):
    """`args`: class of error and message."""


# ---- Container ------------------------------------------------------------------------------


def read_header(data):
    """The header as a dictionary, checked in the order of FORMAT.md."""
    if data[:4] != b"\x89RNC"[: len(data)]:
        raise RefusedError("foreign", "no rnc file")
    if len(data) > 4 and data[4] != 1:
        raise RefusedError("newer", f"version {data[4]}")
    if len(data) < 38:
        raise RefusedError("incomplete", "the header is cut")
    flags, colour, iterations, width, height, tile, fingerprint, crc = struct.unpack(
        ">BBBIIH16sI", data[5:38]
    )
    if zlib.crc32(data[:34]) != crc:
        raise RefusedError("damaged", "CRC-32 of the header")
    if flags & ~3:
        raise RefusedError("newer", f"flags {flags}")
    end = 38
    if flags & 1:
        if len(data) < 46:
            raise RefusedError("incomplete", "the profile is cut")
        length, profile_crc = struct.unpack(">II", data[38:46])
        if not 1 <= length <= 4194304:
            raise RefusedError("damaged", f"a profile of {length} bytes")
        end = 46 + length
        if len(data) < end:
            raise RefusedError("incomplete", "the profile is cut")
    if colour > 1:
        raise RefusedError("newer", f"colour mode {colour}")
    h, w = -(-height // 16), -(-width // 16)
    if not (iterations and width and height) or h * w >= 2**24:
        raise RefusedError("damaged", "sizes of the header")
    n = tile or max(h, w)
    if min(n, h) * min(n, w) > 65536 or -(-h // n) * -(-w // n) > 4096:
        raise RefusedError("damaged", "tiles")
    if flags & 1:
        crc = zlib.crc32(data[46:end], crc)
        if crc != profile_crc:
            raise RefusedError("damaged", "CRC-32 of the profile")
    tiles = [(y, x, min(n, h - y), min(n, w - x)) for y in range(0, h, n) for x in range(0, w, n)]
    return {
        "adaptive": bool(flags & 2),
        "grey": colour == 1,
        "iterations": iterations,
        "size": (height, width),
        "h": h,
        "w": w,
        "tiles": tiles,
        "fingerprint": fingerprint,
        "crc": crc,
        "end": end,
    }


def read_integer(data, at):
    """(value, next), or None at the end of the data."""
    value = 0
    for i in range(4):
        if at + i >= len(data):
            return None
        if i == 0 and data[at] == 0x80:
            raise RefusedError("damaged", "an integer is not shortest")
        value = value << 7 | data[at + i] & 0x7F
        if data[at + i] < 0x80:
            return value, at + i + 1
    raise RefusedError("damaged", "an integer of five bytes")


def read_segments(data, header):
    """[(mode, tag, crc, payload)] of the whole iterations."""
    segments, at, raw = [], header["end"], 4 * header["h"] * header["w"]
    for number in range(header["iterations"]):
        found = read_integer(data, at)
        if found is None:
            break
        tag, start = found
        mode, length = tag & 3, tag >> 2
        if (mode >= 2) != (header["adaptive"] and number > 0):
            raise RefusedError("damaged", f"mode {mode}")
        most = {0: raw, 1: raw - 1}.get(mode, min(2 * raw, 2**26 - 1))
        if length > most or (mode == 0 and length != raw):
            raise RefusedError("damaged", f"a payload of {length} bytes")
        if start + 4 + length > len(data):
            break
        crc = int.from_bytes(data[start : start + 4], "big")
        segments.append((mode, data[at:start], crc, data[start + 4 : start + 4 + length]))
        at = start + 4 + length
    else:
        if at != len(data):
            raise RefusedError("damaged", "bytes after the last segment")
    if not segments:
        raise RefusedError("incomplete", "no whole iteration")
    return segments


def tile_payloads(payload, count):
    """The bytes of each tile."""
    lengths, at = [], 0
    for _ in range(count - 1):
        found = read_integer(payload, at)
        if found is None:
            raise RefusedError("damaged", "the table of tiles")
        lengths.append(found[0])
        at = found[1]
    if at + sum(lengths) > len(payload):
        raise RefusedError("damaged", "the table of tiles")
    bounds = [at]
    for length in lengths:
        bounds.append(bounds[-1] + length)
    return [payload[a:b] for a, b in zip(bounds, [*bounds[1:], len(payload)], strict=True)]


# ---- Codes ----------------------------------------------------------------------------------


class RangeDecoder:
    """The range decoder of a tile."""

    def __init__(self, data):
        self.data, self.at = data, 8
        self.point = int.from_bytes((data + bytes(8))[:8], "big")
        self.lower, self.range = 0, 2**64 - 1

    def bit(self, p):
        zeros = (65536 - p) * 16777214 // 65536 + 1
        scale = self.range // 2**24
        q = (self.point - self.lower) % 2**64 // scale
        if q >= 2**24:
            raise RefusedError("damaged", "coded bits")
        bit = int(q >= zeros)
        if bit:
            self.lower += scale * zeros
            self.range = scale * (2**24 - zeros)
        else:
            self.range = scale * zeros
        if self.range < 2**32:
            word = int.from_bytes((self.data[self.at : self.at + 4] + bytes(4))[:4], "big")
            self.at += 4
            self.point = (self.point << 32 | word) % 2**64
            self.lower, self.range = (self.lower << 32) % 2**64, self.range << 32
        return bit


def coding_order(h, w):
    """Positions in the order of (x + 4y, y)."""
    return sorted(
        ((y, x) for y in range(h) for x in range(w)), key=lambda p: (p[1] + 4 * p[0], p[0])
    )


class Mask:
    """Which positions of a tile have ended."""

    def __init__(self, h, w):
        self.ended = np.zeros((h + 2, w + 2), int)
        self.counts = np.zeros((9, 2), int)
        self.order = coding_order(h, w)

    def read(self, coder):
        groups = {}
        for y, x in self.order:
            if not self.ended[y + 1, x + 1]:
                groups.setdefault(x + 4 * y, []).append((y, x))
        for _, places in sorted(groups.items()):
            seen = []
            for y, x in places:
                c = self.ended[y : y + 3, x : x + 3].sum()
                n0, n1 = (int(n) for n in self.counts[c])
                flag = coder.bit(max(1, 65536 * (2 * n1 + 1) // (2 * n0 + 2 * n1 + 2)))
                seen.append((y, x, c, flag))
            for y, x, c, flag in seen:
                self.counts[c, flag] += 1
                self.ended[y + 1, x + 1] = flag


def sampled(f, half, unit):
    return np.floor(f(np.arange(-half, half) / unit) + 0.5).astype(np.int64)


def sigm(v):
    return 1 / (1 + np.exp(-v))


TANH = (sampled(lambda v: 128 * np.tanh(v), 1024, 128).clip(-127, 127), 1024, 7)
GATE = (sampled(lambda v: 1024 * sigm(v), 1024, 128), 1024, 7)
PROB = (sampled(lambda v: 65536 * sigm(v), 4096, 256).clip(1, 65535), 4096, 8)


class Entropy:
    """The integer entropy model on one tile."""

    def __init__(self, model, h, w):
        self.model, self.h, self.w = model, h, w
        self.H = model["entropy"]["hidden"]
        self.progressive = model["entropy"]["name"] == "progressive"
        self.state = np.zeros((h + 2, w + 2, BITS), np.int64)
        self.m, self.n = np.zeros((2, h, w, self.H), np.int64)

    def layer(self, name, t, x, table, b=7):
        parts = (
            self.model["tensors"][f"entropy.{name}.{p}"] for p in ("weight", "exponent", "bias")
        )
        weight, exponent, bias = (a[0 if len(a) == 1 else t].astype(np.int64) for a in parts)
        values, half, bits = table
        i = np.floor((x @ weight + bias) / 2.0 ** (exponent + b - bits) + 0.5).astype(np.int64)
        return values[i.clip(-half, half - 1) + half]

    def lstm(self, gates, c):
        f, i, o, s = np.split(gates, 4, axis=-1)
        c = ((f * c + i * (2 * s - 1024) + 512) // 1024).clip(-8191, 8191)
        tanh = 2 * GATE[0][((c + 2) // 4).clip(-1024, 1023) + 1024] - 1024
        return ((o * tanh + 4096) // 8192).clip(-127, 127), c

    def run(self, t, bits_of):
        """Iteration t (from 0): `bits_of(y, x, p)` gives bits, or None where none is sent."""
        h, w, H = self.h, self.w, self.H
        codes = np.zeros((h + 3, w + 6, BITS), np.int64)
        hidden, cell = np.zeros((2, h + 1, w + 2, H), np.int64)
        inputs = np.zeros((h, w + 1, H * (2 if self.progressive else 1)), np.int64)
        for y, x in coding_order(h, w):
            seen = np.concatenate(
                [codes[y : y + 3, x : x + 7].ravel(), codes[y + 3, x : x + 3].ravel()]
            )
            found = [self.layer("context", t, seen, TANH, 0)]
            if self.progressive:
                found.append(
                    self.layer("prior", t, self.state[y : y + 3, x : x + 3].ravel(), TANH)
                )
            inputs[y, x + 1] = np.concatenate(found)
            line = [inputs[y, x], inputs[y, x + 1], *hidden[y, x : x + 3]]
            gates = self.layer("line", t, np.concatenate(line), GATE)
            hidden[y + 1, x + 1], cell[y + 1, x + 1] = self.lstm(gates, cell[y, x + 1])
            out = self.layer("output", t, hidden[y + 1, x + 1], TANH)
            bits = bits_of(y, x, self.layer("logits", t, out, PROB))
            if bits is not None:
                codes[y + 3, x + 3] = 2 * np.asarray(bits, np.int64) - 1
        if self.progressive and t + 1 < self.model["entropy"]["iterations"]:
            self.remember(t, codes[2:, 2:-2])

    def remember(self, t, codes):
        codes = np.pad(codes, ((0, 1), (0, 0), (0, 0)))
        a = np.pad(self.layer("past_a", t, around(codes), TANH, 0), ((1, 1), (1, 1), (0, 0)))
        q = self.layer("past_b", t, around(a), TANH)
        gates = self.layer("memory", t, np.concatenate([q, self.m], -1), GATE)
        self.m, self.n = self.lstm(gates, self.n)
        recalled = self.layer("recall_a", t, self.m, TANH)
        self.state[1:-1, 1:-1] = self.layer("recall_b", t, recalled, TANH)


def around(padded):
    """(h + 2, w + 2, C) -> (h, w, 9 C)."""
    h, w, _ = padded.shape
    parts = [padded[i : h - 2 + i, j : w - 2 + j] for i in range(3) for j in range(3)]
    return np.concatenate(parts, -1)


class CodeReader:
    """Codes of a whole file."""

    def __init__(self, model, header):
        self.model, self.header = model, header
        self.tiles = [
            (place, Mask(*place[2:]), Entropy(model, *place[2:]) if model["entropy"] else None)
            for place in header["tiles"]
        ]
        self.crc = header["crc"]

    def read(self, t, segment):
        mode, tag, crc, payload = segment
        h, w = self.header["h"], self.header["w"]
        codes = np.zeros((h, w, BITS), np.uint8)
        if mode in (1, 3) and not self.model["entropy"]:
            raise RefusedError("model", "no entropy model")
        if mode == 0:
            codes = np.unpackbits(np.frombuffer(payload, np.uint8)).reshape(h, w, BITS)
            parts = [b""] * len(self.tiles)
        else:
            parts = tile_payloads(payload, len(self.tiles))
        for (place, mask, entropy), part in zip(self.tiles, parts, strict=True):
            coder, own = (
                RangeDecoder(part),
                codes[place[0] : place[0] + place[2], place[1] : place[1] + place[3]],
            )
            if mode >= 2:
                mask.read(coder)

            def bits_of(y, x, p, *, coder=coder, own=own, mask=mask):
                if mode == 0:
                    return own[y, x]
                if mode >= 2 and mask.ended[y + 1, x + 1]:
                    own[y, x] = 2
                    return None
                own[y, x] = [coder.bit(32768 if mode == 2 else int(chance)) for chance in p]
                return own[y, x]

            if entropy:
                entropy.run(t, bits_of)
            elif mode:
                for y, x in coding_order(*place[2:]):
                    bits_of(y, x, [32768] * BITS)
        packed = np.packbits(codes == 1).tobytes()
        if mode >= 2:
            packed += np.packbits(codes[..., 0] != 2).tobytes()
        self.crc = zlib.crc32(packed, zlib.crc32(tag, self.crc))
        if self.crc != crc:
            raise RefusedError("damaged", f"CRC-32 of iteration {t + 1}")
        return codes


# ---- Model file -----------------------------------------------------------------------------


class Spelled(float):
    """A number that keeps its spelling."""

    def __new__(cls, text):
        made = super().__new__(cls, text)
        made.text = text
        return made


def canonical(value):
    """The JSON text that the fingerprint covers."""
    if isinstance(value, Spelled):
        return value.text
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(k)}: {canonical(value[k])}" for k in sorted(value)) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(canonical, value)) + "]"
    return json.dumps(value)


def read_model(data):
    """{network, entropy, tensors, fingerprint} of a model file."""
    size = int.from_bytes(data[:8], "little")
    listed = json.loads(data[8 : 8 + size])
    text = listed.pop("__metadata__")["rnncodec"]
    described = json.loads(text, parse_int=Spelled, parse_float=Spelled)
    kinds = {"F32": "<f4", "F16": "<f2", "I8": "i1", "I32": "<i4"}
    tensors = {}
    for name, entry in listed.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = values.astype("<f4") if values.dtype.kind == "f" else values
    parts = {key: described[key] for key in ("entropy", "network")}
    digest = hashlib.sha256(canonical(parts).encode())
    for name in sorted(tensors):
        if not re.match(r"network\.(encoder|binarizer)\.", name):
            kind = {"f4": "float32", "i1": "int8", "i4": "int32"}[tensors[name].dtype.str[1:]]
            digest.update(f"{name}:torch.{kind}:{tensors[name].shape};".encode())
            digest.update(tensors[name].tobytes())
    plain = json.loads(text)
    return {
        **{key: plain[key] for key in parts},
        "tensors": tensors,
        "fingerprint": digest.digest()[:16],
    }


# ---- Network --------------------------------------------------------------------------------


def conv(x, weight, bias=None, stride=1):
    """x (C, h, w) -> (N, h / stride, w / stride)."""
    k = weight.shape[-1]
    r = 0 if k == 2 else (k - 1) // 2
    x = np.pad(x, ((0, 0), (r, r), (r, r)))
    rows, columns = ((side - k) // stride + 1 for side in x.shape[1:])
    out = np.zeros((len(weight), rows, columns), np.float32)
    for i in range(k):
        for j in range(k):
            part = x[
                :,
                i : i + stride * (rows - 1) + 1 : stride,
                j : j + stride * (columns - 1) + 1 : stride,
            ]
            out += np.tensordot(weight[:, :, i, j], part, 1)
    return out if bias is None else out + bias[:, None, None]


def bound(v):
    return v / np.maximum(1, np.abs(v))


class Network:
    """The decoder on one tile, and its picture."""

    def __init__(self, model):
        self.network, self.tensors = model["network"], model["tensors"]
        self.states = [None] * 4
        self.v = None

    def weight(self, name):
        return self.tensors[f"network.{name}"]

    def cell(self, k, x):
        def weights(name):
            return self.weight(f"decoder.cells.{k}.{name}.weight")

        kind = self.network["cell"]["name"]
        wx = conv(x, weights("W"), self.weight(f"decoder.cells.{k}.W.bias"))
        units = len(weights("U_h")) if kind.startswith("gru") else len(weights("U").T[0, 0])
        if self.states[k] is None:
            complex_units = np.zeros((units // 2, *x.shape[1:]), complex)
            zeros = np.zeros((units, *x.shape[1:]), np.float32)
            self.states[k] = (zeros, complex_units if kind == "assoc_lstm" else zeros)
        h, c = self.states[k]
        uh = conv(h, weights("U"))
        if kind.startswith("gru"):
            z, r = np.split(sigm(wx[: 2 * units] + uh), 2)
            after = (1 - z) * h + z * np.tanh(wx[2 * units :] + conv(r * h, weights("U_h")))
            out = after
            if kind == "gru_resnet":
                alpha = np.float32(self.network["cell"].get("alpha", 0.1))
                after = after + alpha * conv(h, weights("W_h"))
                out = after + alpha * conv(x, weights("W_ox"))
            self.states[k] = (after, c)
            return out
        if kind == "lstm":
            f, i, o, j = np.split(wx + uh, 4)
            c = sigm(f) * c + sigm(i) * np.tanh(j)
            after = sigm(o) * np.tanh(c)
        else:
            f, i, o, *pairs = np.split(wx + uh, 9)
            j, r, q = (pairs[n] + 1j * pairs[n + 1] for n in (0, 2, 4))
            c = sigm(f) * c + sigm(i) * bound(r) * bound(j)
            g = sigm(o) * bound(bound(q) * c)
            after = np.concatenate([g.real, g.imag]).astype(np.float32)
        self.states[k] = (after, c)
        return after

    def step(self, codes):
        x = conv(codes, self.weight("decoder.conv.weight"), self.weight("decoder.conv.bias"))
        for k in range(4):
            x = self.cell(k, x)
            c, h, w = x.shape
            x = (
                x.reshape(c // 4, 2, 2, h, w)
                .transpose(0, 3, 1, 4, 2)
                .reshape(c // 4, 2 * h, 2 * w)
            )
        return conv(x, self.weight("decoder.output.weight"), self.weight("decoder.output.bias"))

    def gains(self):
        _, h, w = self.v.shape
        x = np.pad(self.v, ((0, 0), (0, -h % 32), (0, -w % 32)), mode="edge")
        for n in (0, 2, 4, 6, 8):
            x = conv(x, self.weight(f"recon.G.{n}.weight"), self.weight(f"recon.G.{n}.bias"), 2)
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        return (2 + x).repeat(32, 1).repeat(32, 2)[:, :h, :w]

    def run(self, t, codes):
        """Codes (h, w, 32) of 0, 1 and 2, of iteration t (from 0)."""
        signs = np.array([-1, 1, 0], np.float32)[codes].transpose(2, 0, 1)
        sends = (codes[..., 0] != 2).repeat(16, 0).repeat(16, 1)
        recon, before = self.network["recon"], self.v
        g = self.gains() if recon["name"] == "scaled_additive" and t else 1
        if recon["name"] == "boosted_additive":
            g = recon.get("gain", 4.0) * (t + 1) ** recon.get("power", 0.7)
        extra = self.network.get("diffusion", 0) + (0 if t else self.network.get("priming", 0))
        for _ in range(1 + extra):
            d = self.step(signs)
        total = recon["name"] in ("additive", "boosted_additive", "scaled_additive")
        after = (0 if before is None else before) + d / g if total else d
        self.v = after if before is None else np.where(sends, after, before)


# ---- All of it ------------------------------------------------------------------------------


def decode(model_data, data):
    """Codes (T, h, w, 32), and the picture (H, W, 3) or (H, W)."""
    header, model = read_header(data), read_model(model_data)
    if header["fingerprint"] != model["fingerprint"]:
        raise RefusedError("model", "another fingerprint")
    most = min(
        model["network"]["iterations"], (model["entropy"] or {"iterations": 255})["iterations"]
    )
    if header["iterations"] > most:
        raise RefusedError("model", "more iterations than the model has")
    segments, reader = read_segments(data, header), CodeReader(model, header)
    codes = np.stack([reader.read(t, segment) for t, segment in enumerate(segments)])
    picture = np.zeros((16 * header["h"], 16 * header["w"], 3), np.float32)
    for y, x, h, w in header["tiles"]:
        network = Network(model)
        for t, frame in enumerate(codes):
            network.run(t, frame[y : y + h, x : x + w])
        picture[16 * y : 16 * (y + h), 16 * x : 16 * (x + w)] = network.v.transpose(1, 2, 0)
    height, width = header["size"]
    pixels = np.rint((picture[:height, :width] + 0.5) * 255).clip(0, 255).astype(np.uint8)
    if header["grey"]:
        pixels = ((pixels.sum(2, dtype=int) + 1) // 3).astype(np.uint8)
    return codes, pixels


def main():
    model, file, codes_path, pixels_path = map(Path, sys.argv[1:])
    try:
        codes, pixels = decode(model.read_bytes(), file.read_bytes())
    except RefusedError as error:
        kind, message = error.args
        sys.exit(f"{kind}: {message}")
    codes_path.write_bytes(codes.tobytes())
    height, width = pixels.shape[:2]
    kind = "P5" if pixels.ndim == 2 else "P6"
    pixels_path.write_bytes(f"{kind} {width} {height} 255\n".encode() + pixels.tobytes())


if __name__ == "__main__":
    main()
