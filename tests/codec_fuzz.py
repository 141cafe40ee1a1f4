"""The campaign of `tests.bitstream.fuzz` against the whole codec: `python -m tests.codec_fuzz`.

The files are the golden ones and a few more of the golden model. Besides the codes, a mutant that
decodes must give a picture of the size and mode that its header states, and the same one when
its bytes arrive in pieces.
"""

import dataclasses
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tests.bitstream.fuzz import Campaign, Target, conduct, parse_arguments

from rnncodec.bitstream import Codes, ColourMode, Segment, parse
from rnncodec.codec import Codec, load
from rnncodec.coding.entropy_coding import CodeReader, check_iterations
from rnncodec.errors import RNNCodecError, RNNCodecWarning

GOLDEN = Path(__file__).parent / "golden"
PAINTED_POSITIONS = 16
"""Larger pictures are decoded to codes only, to save time."""


class Unverified(Segment):
    """A segment that vouches for whatever was decoded."""

    def verify(self, codes: Codes) -> None:
        pass


def target(codec: Codec) -> Target:
    def decode(data: bytes) -> Codes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RNNCodecWarning)  # cut files, which are no finds
            codes = codec.decode_codes(data)
            if codes[0, ..., 0].size <= PAINTED_POSITIONS:
                check_pictures(codec, data)
        return codes

    def peek(data: bytes) -> Codes:
        header, segments, _ = parse(data)
        check_iterations(header, codec.iterations)
        unverified = [
            Unverified(**{f.name: getattr(segment, f.name) for f in dataclasses.fields(segment)})
            for segment in segments
        ]
        return CodeReader(codec.model.entropy, header, len(unverified)).read(unverified)

    return Target(decode, peek, RNNCodecError)


def check_pictures(codec: Codec, data: bytes) -> None:
    """Raises ValueError if a picture is not what the header states, however it is decoded."""
    image, header = codec.decode(data), parse(data).header
    mode = "L" if header.colour is ColourMode.GREY else "RGB"
    if (image.size, image.mode) != ((header.width, header.height), mode):
        raise ValueError(f"a picture {image.mode} {image.size} of {header}")
    *_, last = codec.decode_progressive([data[:50], data[50:]])
    if not np.array_equal(image, last):
        raise ValueError("another picture when it is decoded progressively")


def originals(codec: Codec) -> list[bytes]:
    """Small files of every kind; no two have the same header."""
    waves = np.add.outer(np.sin(np.arange(48) / 7), np.cos(np.arange(70) / 9)) * 60 + 128
    photo = Image.fromarray(waves.astype(np.uint8)).convert("RGB")
    golden = [path.read_bytes() for path in sorted(GOLDEN.glob("*.rnc"))]
    tiled = [codec.encode(photo, tile=16), codec.encode(photo, tile=32, iterations=2)]
    adaptive = [codec.encode(photo, adaptive="ssim=0.1", tile=tile) for tile in (0, 32)]
    return [*golden, *tiled, *adaptive]


def main() -> int:
    """Run a campaign against the codec; the exit status is 1 if there are finds."""
    arguments = parse_arguments(20_000)
    torch.set_num_threads(1)
    codec = load(GOLDEN / "model.safetensors")
    campaign = Campaign(target(codec), originals(codec), arguments.seed)
    return conduct(campaign, arguments.mutants, arguments.finds)


if __name__ == "__main__":
    sys.exit(main())
