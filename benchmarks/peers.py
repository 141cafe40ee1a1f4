"""Encoding and decoding beside CompressAI's codecs, in turns.

    python -m venv peers && peers/bin/pip install compressai==1.2.8
    python benchmarks/peers.py --python peers/bin/python         JSON to outputs/bench/peers.json

They run in a process of their own (`peer_process.py`), so that neither's libraries are the
other's. Each work takes its turn on one picture of 768x512: from pixels to the bytes of a file or
string, and back, in wall-clock time with as many threads as PyTorch takes. Without --python, and
without RNNCODEC_PEERS in the environment, nothing is measured, and the table says so.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

import host_info
import rnncodec
from photographs import photograph
from rnncodec.bitstream import info
from rnncodec.machine.storage import write_text
from timing import in_turns

OUTPUT = Path("outputs/bench/peers.json")
SIDES = (768, 512)
ITERATIONS = 4
QUALITY = 3
PEERS = ("bmshj2018-hyperprior", "mbt2018-mean")
AUTOREGRESSIVE = ("mbt2018", "cheng2020-anchor")
"""Minutes instead of seconds: with --all."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=os.environ.get("RNNCODEC_PEERS"))
    parser.add_argument("--all", action="store_true", help="the autoregressive ones, too")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    result: dict[str, Any] = {"clock": "wall clock", "machine": host_info.describe()}
    if options.python is None:
        result["skipped"] = "no --python, no RNNCODEC_PEERS: a Python with compressai"
    else:
        names = [*PEERS, *(AUTOREGRESSIVE if options.all else ())]
        result |= measure(options.python, names, options.model, options.repeats)
    write_text(options.out, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def measure(python: str, names: list[str], model: str, repeats: int) -> dict[str, Any]:
    """Median seconds of each codec and direction."""
    pixels, codec = photograph(*SIDES), rnncodec.load(model)
    data = codec.encode(pixels, iterations=ITERATIONS)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "picture.npy")
        np.save(picture, pixels)
        script = str(Path(__file__).with_name("peer_process.py"))
        with subprocess.Popen(
            [python, script, str(picture), str(QUALITY), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as peers:
            assert peers.stdin is not None
            assert peers.stdout is not None
            said = json.loads(peers.stdout.readline())
            works: dict[str, Any] = {
                "ours encode": partial(codec.encode, pixels, iterations=ITERATIONS),
                "ours decode": partial(codec.decode, data),
            }
            for name in names:
                for work in ("encode", "decode"):
                    works[f"{name} {work}"] = partial(ask, peers.stdin, peers.stdout, name, work)
            medians = in_turns(works, repeats, time.perf_counter)
            peers.stdin.close()
    return {
        "seconds": medians,
        "bpp": info(data).bpp[-1],
        "model": model,
        "iterations": ITERATIONS,
        "quality": QUALITY,
        "versions": said["versions"],
        "threads": {"ours": torch.get_num_threads(), "peers": said["threads"]},
    }


def ask(to: IO[str], answers: IO[str], model: str, work: str) -> None:
    """Let the other process do one work; it is waited for, and so timed from here."""
    to.write(json.dumps({"model": model, "work": work}) + "\n")
    to.flush()
    json.loads(answers.readline())


if __name__ == "__main__":
    main()
