"""Prints the worked example of FORMAT.md, out of the real codec and the file it shows.

`python scripts/format_example.py` prints it; `--write` puts it into FORMAT.md. A test compares.
"""

import gzip
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rnncodec.bitstream import parse
from rnncodec.bitstream.coder import ONE
from rnncodec.codec import Codec, load

ROOT = Path(__file__).parents[1]
SET = ROOT / "tests" / "golden" / "set"
FORMAT = ROOT / "src" / "rnncodec" / "bitstream" / "FORMAT.md"
TITLE = "## Worked example"
H = 2
"""Of the example's entropy model: few numbers to print."""
BITS_SHOWN = 6

Numbers = NDArray[np.int64]


def codec() -> Codec:
    """That of the example."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "model.safetensors")
        plain.write_bytes(gzip.decompress((SET / "example.safetensors.gz").read_bytes()))
        return load(plain)


class Layers:
    """The layers of a model file, as FORMAT.md has them; notes what it computes."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = {name: value.numpy().astype(np.int64) for name, value in tensors.items()}

    def __call__(self, name: str, t: int, x: Numbers) -> tuple[list[str], Numbers]:
        """Iteration t (from 1): lines to print, and the result."""
        parts = [self.tensors[f"{name}.{part}"] for part in ("weight", "exponent", "bias")]
        weight, exponent, bias = (part[0 if len(part) == 1 else t - 1] for part in parts)
        b = 0 if name in ("context", "past_a") else 7
        kind = {"line": "GATE", "memory": "GATE", "logits": "PROB"}.get(name, "TANH")
        half, bits = (4096, 8) if kind == "PROB" else (1024, 7)
        s = bias + x @ weight
        d = exponent + b - bits
        i = np.floor(s / 2.0**d + 0.5).astype(np.int64).clip(-half, half - 1)
        y = np.array([table(kind, int(k)) for k in i])
        lines = [f"s  {row(s)}", f"d  {row(d)}", f"i  {row(i)}"] if len(s) <= 8 else []
        return [*lines, *wrapped(f"{kind}", y)], y


def table(kind: str, i: int) -> int:
    """An entry of a table, by its formula."""
    if kind == "TANH":
        return int(np.clip(np.floor(128 * np.tanh(i / 128) + 0.5), -127, 127))
    if kind == "GATE":
        return int(np.floor(1024 / (1 + np.exp(-i / 128)) + 0.5))
    return int(np.clip(np.floor(65536 / (1 + np.exp(-i / 256)) + 0.5), 1, 65535))


def lstm(gates: Numbers, c: Numbers) -> tuple[list[str], Numbers, Numbers]:
    """Lines, h and c'."""
    f, i, o, s = gates.reshape(4, -1)
    after = np.clip((f * c + i * (2 * s - 1024) + 512) // 1024, -8191, 8191)
    j = np.clip((after + 2) // 4, -1024, 1023)
    gate = np.array([table("GATE", int(k)) for k in j])
    h = np.clip((o * (2 * gate - 1024) + 4096) // 8192, -127, 127)
    return [f"c' {row(after)}", f"j  {row(j)}", f"h  {row(h)}"], h, after


def row(numbers: Numbers) -> str:
    """Numbers in columns."""
    return " ".join(f"{number:6}" for number in numbers.tolist())


def wrapped(name: str, numbers: Numbers) -> list[str]:
    """Eight numbers a line."""
    parts = [numbers[k : k + 8] for k in range(0, len(numbers), 8)]
    return [f"{name if not k else '':<3}{row(part)}" for k, part in enumerate(parts)]


def hexadecimal(data: bytes) -> str:
    """Bytes, apart."""
    return data.hex(" ")


def example() -> str:
    """The section."""
    found = codec()
    data = (SET / "example.rnc").read_bytes()
    header, segments, _ = parse(data)
    codes = found.decode_codes(data)
    lines = [*file_lines(data, codes)]
    assert found.model.entropy is not None
    layers = Layers(found.model.entropy.tensors)
    lines += [*position_lines(layers, codes, found)]
    lines += [
        "",
        "The range decoder on the tile of iteration 2, each bit with the `range` before it: the",
        "first bits of position (0, 0), with",
        "",
    ]
    p = found.model.entropy.probabilities(torch.from_numpy(codes)[None]).numpy()[0]
    lines += [f"    {line}" for line in wrapped("p", p[1, 0, 0, :BITS_SHOWN].astype(np.int64))]
    lines += [""]
    payload = segments[1].payload
    lines += [f"    {line}" for line in coder_lines(payload, p[1, 0, 0], codes[1, 0, 0])]
    assert header.code_shape == (1, 2, 32)
    return TITLE + "\n" + INTRODUCTION + "\n".join(lines) + "\n"


INTRODUCTION = """
`tests/golden/set/example.rnc` and its model, `example.safetensors.gz` there: 32 x 16 pixels, two
positions, two iterations, `progressive` with H = 2. (By `scripts/format_example.py`.) The file:

"""


def file_lines(data: bytes, codes: NDArray[np.uint8]) -> Iterator[str]:
    """The bytes of the file, explained."""
    parts = [
        (data[0:8], "magic, version, flags, RGB, 2 iterations"),
        (data[8:16], "32 x 16"),
        (data[16:18], "one piece"),
        (data[18:26], "fingerprint"),
        (data[26:34], ""),
        (data[34:38], "CRC-32 of the 34 bytes before it"),
    ]
    for segment in parse(data).segments:
        at = segment.offset
        packed = np.packbits(codes[segment.iteration - 1]).tobytes()
        parts += [
            (
                data[at : at + 1],
                f"{len(segment.payload)} << 2 | {segment.mode:d}: iteration {segment.iteration}",
            ),
            (data[at + 1 : at + 5], f"CRC-32 of the tag and of {hexadecimal(packed)}"),
        ]
        rest = segment.payload
        parts += [(rest[k : k + 8], "payload" if not k else "") for k in range(0, len(rest), 8)]
    yield from (f"    {hexadecimal(part):<24}    {told}".rstrip() for part, told in parts)


def position_lines(layers: Layers, codes: NDArray[np.uint8], found: Codec) -> Iterator[str]:
    """Position (0, 1) of iteration 2, from its beginning to its probabilities."""
    b = codes[:, 0].astype(np.int64) * 2 - 1  # (T, 2, 32)
    zeros = np.zeros(32, np.int64)
    none = np.zeros(H, np.int64)
    past = [layers("past_a", 1, around([b[0, 0], b[0, 1]], x)) for x in (0, 1)]
    a = [result for _, result in past]
    states = []
    yield "\nPosition (0, 1) of iteration 2, every integer. First the memory after iteration 1:"
    for x in (0, 1):
        yield f"\n    at (0, {x})"
        yield from named("A = past_a(codes of iteration 1 at 3x3)", past[x][0])
        told, q = layers("past_b", 1, around(a, x))
        yield from named("Q = past_b(A at 3x3)", told)
        told, gates = layers("memory", 1, np.concatenate([q, none]))
        yield from named("memory(Q, m), m = 0: f f i i o o s s", told)
        told, m, _ = lstm(gates, none)
        yield from named("m, n = LSTM(...; 0)", told)
        told, recalled = layers("recall_a", 1, m)
        yield from named("recall_a(m)", told)
        told, state = layers("recall_b", 1, recalled)
        yield from named("state of iteration 2 = recall_b(...)", told)
        states.append(state)
    inputs = []
    h, c = none, none
    for x in (0, 1):
        window = np.concatenate([zeros] * 23 + [b[1, 0] if x else zeros])
        told_c, context = layers("context", 2, window)
        told_p, prior = layers("prior", 2, around(states, x))
        inputs.append(np.concatenate([context, prior]))
    yield "\n    iteration 2 at (0, 1)"
    yield from named(
        "C = context(codes of iteration 2: 0 at 23 positions, then those at (0, 0))", told_c
    )
    yield from named("P = prior(state at 3x3)", told_p)
    line = np.concatenate([*inputs, np.zeros(3 * H, np.int64)])
    yield from named(
        "input of line: C, P at (0, 0); C, P at (0, 1); h of the row above, outside: 0",
        wrapped("x", line),
    )
    told, gates = layers("line", 2, line)
    yield from named("line(...): f f i i o o s s", told)
    told, h, _ = lstm(gates, c)
    yield from named("h, c = LSTM(...; 0)", told)
    told, out = layers("output", 2, h)
    yield from named("output(h)", told)
    told, p = layers("logits", 2, out)
    yield from named("p = logits(...)", told)
    bits = "".join(map(str, codes[1, 0, 1].tolist()))
    yield f"\n    the bits of the position   {bits}"
    assert found.model.entropy is not None
    real = found.model.entropy.probabilities(torch.from_numpy(codes)[None]).numpy()[0, 1, 0, 1]
    assert np.array_equal(real, p), "the example is not what the codec computes"


def around(values: list[Numbers], x: int) -> Numbers:
    """The 3x3 window of one row of two positions: zeros above and below."""
    zeros = np.zeros_like(values[0])
    line = [zeros, *values, zeros]
    return np.concatenate([zeros] * 3 + line[x : x + 3] + [zeros] * 3)


def named(name: str, lines: list[str]) -> Iterator[str]:
    """A step of the computation."""
    yield f"      {name}"
    yield from (f"        {line}" for line in lines)


def coder_lines(payload: bytes, p: NDArray[np.int32], bits: NDArray[np.uint8]) -> Iterator[str]:
    """The first bits of a tile, as the decoder sees them."""
    point = int.from_bytes((payload + bytes(8))[:8], "big")
    lower, span = 0, 2**64 - 1
    yield f"point = {point:016x}"
    for chance, expected in zip(p[:BITS_SHOWN].tolist(), bits.tolist(), strict=False):
        zeros = (ONE - chance) * 16777214 // ONE + 1
        scale = span // 2**24
        q = (point - lower) // scale
        bit = int(q >= zeros)
        assert bit == expected
        yield f"p = {chance:5}  zeros = {zeros:8}  range = {span:016x}  q = {q:8}  bit {bit}"
        if bit:
            lower += scale * zeros
            span = scale * (2**24 - zeros)
        else:
            span = scale * zeros
        assert span >= 2**32
    yield f"then  range = {span:016x}, lower = {lower:016x}"


def main() -> None:
    text = example()
    if "--write" not in sys.argv:
        print(text)
        return
    page = FORMAT.read_text(encoding="utf-8")
    FORMAT.write_text(page.partition(f"\n{TITLE}\n")[0] + "\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
