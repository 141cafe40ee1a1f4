"""Time and memory of a 50 Mpixel image: `python benchmarks/large.py`, JSON to outputs/bench/.

The picture is made in memory, of training photographs mirrored side by side. Encoding and decoding
run in a process each, whose peak memory includes Python, PyTorch and the picture itself.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from host_info import describe
from rnncodec.bitstream import info
from rnncodec.codec import load
from rnncodec.data.photos import DemoPhotos
from rnncodec.images.reading import Pixels
from rnncodec.machine import storage
from timing import peak_memory

RESULT = Path("outputs/bench/large.json")


def main() -> None:
    """Encode, decode, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("tests/golden/model.safetensors"))
    parser.add_argument("--width", type=int, default=8000)
    parser.add_argument("--height", type=int, default=6250)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        work, file = arguments.child
        print(json.dumps(child(arguments, work.name, file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.rnc"
        result = {work: measured(work, file) for work in ("encode", "decode")}
        found = info(file.read_bytes())
    result["file"] = {
        **{"width": found.header.width, "height": found.header.height},
        **{"tiles": found.header.tile_count, "iterations": found.iterations},
        **{"bytes": found.file_bytes, "bpp": found.bpp[-1]},
    }
    result["machine"] = describe()
    storage.write_text(RESULT, json.dumps(result, indent=2) + "\n")
    for name in ("file", "encode", "decode"):
        print(name, ", ".join(f"{key} {value:.6g}" for key, value in result[name].items()))


def measured(work: str, file: Path) -> dict[str, float]:
    """A process of its own that encodes or decodes, with the arguments of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", work, str(file)]
    found: dict[str, float] = json.loads(subprocess.check_output(command))
    return found


def child(arguments: argparse.Namespace, work: str, file: Path) -> dict[str, Any]:
    """Encode to a file or decode it: processor seconds, and GiB at most resident."""
    codec, limit = load(arguments.model), float(arguments.width * arguments.height)
    if work == "encode":
        picture = mosaic(arguments.width, arguments.height)
        start = time.process_time()
        file.write_bytes(codec.encode(picture, iterations=arguments.iterations))
    else:
        start = time.process_time()
        image = codec.decode(file.read_bytes(), max_pixels=limit)
        assert image.size == (arguments.width, arguments.height)
    seconds = time.process_time() - start
    return {"processor_seconds": seconds, "peak_gib": peak_memory()}


def mosaic(width: int, height: int) -> Image.Image:
    """A picture of any size, of photographs mirrored so that they join."""
    rows: list[Pixels] = []
    y = 0
    photos = [pixels for _, pixels in DemoPhotos("train")]
    while y < height:
        photo = photos[len(rows) % len(photos)]
        rows.append(row(photo, width)[: height - y])
        y += len(photo)
    return Image.fromarray(np.concatenate(rows))


def row(photo: Pixels, width: int) -> Pixels:
    """The photograph and its mirror image in turn, up to a width."""
    pair = np.concatenate([photo, photo[:, ::-1]], axis=1)
    return np.tile(pair, (1, -(-width // pair.shape[1]), 1))[:, :width]


if __name__ == "__main__":
    main()
