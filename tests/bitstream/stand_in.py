"""A codec without a network: integer probabilities from a rule, and the loops around them.

It exercises everything between codes and bytes as a real codec does: probabilities that depend on
codes already decoded, in wavefront order, so that one wrong bit sends all later ones astray.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnncodec.bitstream import (
    UNSENT,
    Codes,
    Header,
    Iteration,
    Mask,
    Segment,
    SegmentMode,
    Tile,
    encode,
    parse,
    position_order,
    write,
)

Chunks = Generator[NDArray[np.int64], NDArray[np.uint8], None]
Symbols = tuple[NDArray[np.uint8], NDArray[np.int64]]
Answer = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


class ProbabilitySource(Protocol):
    """The model's side: what is P(bit = 1) of the next bits, given all before them?"""

    def walk(self, header: Header, tile: Tile, earlier: Sequence[Codes]) -> Chunks:
        """Yield P(bit = 1) in 1/65536 of the next bits, is sent these bits, and so on.

        Bits come in the order of the format: positions of the tile in `position_order`, 32 each.
        `earlier` are the codes (h, w, 32) of this tile in the iterations before.
        """


class Neighbours:
    """Channel by channel: the bits at the left, above, and here one iteration ago."""

    def walk(self, header: Header, tile: Tile, earlier: Sequence[Codes]) -> Chunks:
        h, w = tile.h, tile.w
        signs = np.zeros((h + 1, w + 1, 32), np.int64)  # a border of zeros above and at the left
        past = earlier[-1] * 2 - np.int64(1) if earlier else np.zeros((h, w, 32), np.int64)
        bias = (np.arange(32) * 37 % 64 - 32) * 800 + 600 * (header.fingerprint[0] % 3)
        for step in range(w + 4 * (h - 1)):
            y = np.arange(max(0, -(-(step - w + 1) // 4)), min(h - 1, step // 4) + 1)
            x = step - 4 * y
            if not y.size:
                continue
            logit = 11000 * signs[y + 1, x] + 7000 * signs[y, x + 1] + 9000 * past[y, x]
            bits = yield np.clip(32768 + logit + bias, 1, 65535).ravel()
            signs[y + 1, x + 1] = bits.reshape(-1, 32) * 2 - np.int64(1)


def sample(header: Header, source: ProbabilitySource, seed: int) -> Codes:
    """Codes (T, h, w, 32) drawn from the source's own probabilities: what it codes best.

    Of an adaptive file the positions end after a random number of iterations.
    """
    rng = np.random.default_rng(seed)
    codes = np.zeros((header.iterations, *header.code_shape), np.uint8)
    for t in range(header.iterations):
        for tile in header.tiles():
            earlier = [frame[tile.slices] for frame in codes[:t]]
            codes[t][tile.slices] = _complete(
                tile,
                source.walk(header, tile, earlier),
                lambda p: (rng.integers(0, 65536, p.size) < p).astype(np.uint8),
            )
    return with_ends(header, codes, rng) if header.adaptive else codes


def with_ends(header: Header, codes: Codes, rng: np.random.Generator) -> Codes:
    """Codes (T, h, w, 32) of which positions end after 1..T iterations."""
    ends = rng.integers(1, header.iterations + 1, header.code_shape[:2])
    over = ends <= np.arange(header.iterations)[:, None, None]
    return np.where(over[..., None], np.uint8(UNSENT), codes)


def encode_file(header: Header, codes: Codes, source: ProbabilitySource) -> bytes:
    """Codes (T, h, w, 32) to a file; what does not gain from entropy coding is stored raw."""
    tiles = [(tile, Mask(tile.h, tile.w)) for tile in header.tiles()]
    iterations = []
    for t, frame in enumerate(codes):
        payloads, even = [], []
        for tile, mask in tiles:
            coded = symbols(header, tile, [c[tile.slices] for c in codes[: t + 1]], source)
            flags = mask.flags(sent_in_order(frame[tile.slices])) if header.masked(t + 1) else None
            payloads.append(encode(*joined(flags, coded)))
            halves = np.full(len(coded[0]), 32768)
            even.append(encode(*joined(flags, (coded[0], halves))))
        iterations.append(Iteration(frame, payloads, even))
    return write(header, iterations)


def joined(flags: Symbols | None, coded: Symbols) -> Symbols:
    """Flags, if there are any, and then bits, each with probabilities."""
    if flags is None:
        return coded
    return np.concatenate([flags[0], coded[0]]), np.concatenate([flags[1], coded[1]])


def sent_in_order(frame: Codes) -> NDArray[np.bool_]:
    """Which positions of codes (h, w, 32) send, in coding order."""
    h, w, _ = frame.shape
    return frame.reshape(-1, 32)[position_order(h, w), 0] != UNSENT


def symbols(
    header: Header, tile: Tile, codes: Sequence[Codes], source: ProbabilitySource
) -> Symbols:
    """The bits sent in one tile of the last of `codes`, each (h, w, 32), and P(bit = 1)."""
    *earlier, frame = codes
    bits = frame.reshape(-1, 32)[position_order(tile.h, tile.w)].ravel()
    walk, at, asked = source.walk(header, tile, earlier), 0, []
    probabilities = next(walk)
    while at < bits.size:
        asked.append(probabilities)
        chunk = bits[at : at + probabilities.size]
        at += probabilities.size
        probabilities = _advance(walk, chunk)
    sent = bits != UNSENT
    return bits[sent], np.concatenate(asked)[sent]


def decode_file(
    data: bytes, source: ProbabilitySource, *, verify: bool = True
) -> tuple[Header, Codes]:
    """A file to its header and the codes (n, h, w, 32) of its whole iterations, all verified."""
    header, segments, _ = parse(data)
    masks = [Mask(tile.h, tile.w) for tile in header.tiles()]
    frames: list[Codes] = []
    for segment in segments:
        if segment.mode is SegmentMode.RAW:
            codes = segment.raw_codes()
        else:
            codes = np.zeros(header.code_shape, np.uint8)
            for index, tile in enumerate(header.tiles()):
                walk = source.walk(header, tile, [frame[tile.slices] for frame in frames])
                answer = answers(segment, index, masks[index])
                codes[tile.slices] = _complete(tile, walk, answer)
        if verify:
            segment.verify(codes)
        frames.append(codes)
    return header, np.stack(frames)


def answers(segment: Segment, index: int, mask: Mask) -> Answer:
    """What gives the bits of a tile for their probabilities; UNSENT where it has none."""
    decoder = segment.decoder(index)
    if not segment.mode.masked:
        return decoder.decode
    sent, at = np.repeat(mask.read(decoder), 32), 0

    def answer(probabilities: NDArray[np.int64]) -> NDArray[np.uint8]:
        nonlocal at
        at += probabilities.size
        here = sent[at - probabilities.size : at]
        bits = np.full(probabilities.size, UNSENT, np.uint8)
        asked = probabilities[here]
        bits[here] = decoder.decode(asked if segment.mode.modelled else np.full_like(asked, 32768))
        return bits

    return answer


def _complete(tile: Tile, walk: Chunks, answer: Answer) -> Codes:
    """Follow a walk to its end, answering each chunk of probabilities with bits."""
    bits, probabilities = [], next(walk)
    while probabilities.size:
        bits.append(answer(probabilities))
        probabilities = _advance(walk, bits[-1])
    codes = np.empty((tile.h * tile.w, 32), np.uint8)
    codes[position_order(tile.h, tile.w)] = np.concatenate(bits).reshape(-1, 32)
    return codes.reshape(tile.h, tile.w, 32)


def _advance(walk: Chunks, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    try:
        return walk.send(bits)
    except StopIteration:
        return np.empty(0, np.int64)
