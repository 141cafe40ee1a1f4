"""`rnncodec prepare`: speed beside bare decoding and deflating, memory by input size, kills.

python benchmarks/prepare.py speed PHOTOS     same process, same images, processor time
python benchmarks/prepare.py memory PHOTOS    1,000 to 100,000 crops of the photographs
python benchmarks/prepare.py kills PHOTOS     ten kill -9 at random, then compare all bytes
"""

import argparse
import hashlib
import io
import json
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from rnncodec.data.images import Pixels, find_images, read_image
from rnncodec.prepare.cut import non_overlapping, shrink
from rnncodec.prepare.run import prepare
from rnncodec.prepare.score import LEVEL, filtered
from rnncodec.prepare.settings import Mode, Settings
from rnncodec.prepare.sources import Files, find_source

T = TypeVar("T")

SPEED = Settings(val_fraction=1e-9, photographs=1)
CROP = 64
SMALL = Settings(min_side=32, keep=2, shard_tiles=512, val_fraction=0.01, mode=Mode.RANDOM)
KILLED = Settings(keep=10, shard_tiles=16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("speed", "memory", "kills", "one"))
    parser.add_argument("photos")
    parser.add_argument("--images", type=int, default=60, help="photographs taken (speed, kills)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--out", help="for `one`: where to")
    options = parser.parse_args()
    if options.what == "one":  # a run of its own for `memory`
        return one(options.photos, Path(options.out))
    libraries = {name: version(name) for name in ("numpy", "pillow")}
    print({"python": sys.version.split()[0], "zlib": zlib.ZLIB_RUNTIME_VERSION, **libraries})
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "memory":
            return memory(find_images(options.photos), options.sizes, Path(folder))
        chosen = sample(find_images(options.photos), options.images, Path(folder) / "photos")
        return speed(chosen, options.rounds) if options.what == "speed" else kills(chosen)


def sample(paths: list[Path], count: int, folder: Path) -> Path:
    """A folder of links to photographs evenly spread over the given ones."""
    folder.mkdir()
    for number, path in enumerate(paths[:: max(1, len(paths) // count)][:count]):
        (folder / f"{number:05d}{path.suffix}").symlink_to(path.resolve())
    return folder


def speed(photos: Path, rounds: int) -> None:
    """Processor time per image of this process, alternating between the parts."""
    paths = find_images(photos)
    cost: dict[str, list[float]] = {}
    for _ in range(rounds):
        images, seconds = timed(lambda: [read_image(path) for path in paths])
        cost.setdefault("decode", []).append(seconds)
        tiles = [non_overlapping(shrink(image, SPEED.resize), SPEED.tile) for image in images]
        rows = [filtered(some) for some in tiles]
        for name, data in (("deflate raw tiles", tiles), ("deflate filtered tiles", rows)):
            _, seconds = timed(deflate_all, data)
            cost.setdefault(name, []).append(seconds)
        with tempfile.TemporaryDirectory() as folder:
            _, seconds = timed(prepare, Files(photos), Path(folder), SPEED)
        cost.setdefault("prepare", []).append(seconds)
    middle = {name: statistics.median(values) / len(paths) for name, values in cost.items()}
    for name, seconds in middle.items():
        print(f"{name:<24} {1e3 * seconds:8.2f} ms/image")
    for name in ("deflate raw tiles", "deflate filtered tiles"):
        bare = middle["decode"] + middle[name]
        print(f"(decode + {name}) / prepare: {bare / middle['prepare']:.2f}")
    print(f"{len(paths)} images, {sum(map(len, tiles))} tiles, high-entropy, {rounds} rounds")


def deflate_all(images: list[Pixels]) -> None:
    for tiles in images:
        for tile in tiles:
            squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_FILTERED)
            squeeze.compress(tile.tobytes())
            squeeze.flush()


def timed(work: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    start = time.process_time()
    result = work(*arguments)
    return result, time.process_time() - start


def memory(paths: list[Path], sizes: list[int], folder: Path) -> None:
    """Peak memory of the main process and of its worker, by number of input images."""
    for count in sizes:
        archive = folder / f"{count}.tar"
        recrop(paths, count, archive)
        command = [
            sys.executable,
            __file__,
            "one",
            str(archive),
            "--out",
            str(folder / f"{count}"),
        ]
        start = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"{count:>8,} images: {done.stdout.strip()}, {time.monotonic() - start:.0f} s")
        archive.unlink()


def recrop(paths: list[Path], count: int, archive: Path) -> None:
    """A tar file of small JPEG pictures cut from the photographs at random places."""
    rng = random.Random(0)
    photos = [Image.open(path).convert("RGB") for path in paths[:: max(1, len(paths) // 100)]]
    with tarfile.open(archive, "w") as out:
        for number in range(count):
            photo = photos[number % len(photos)]
            left, top = rng.randrange(photo.width - CROP), rng.randrange(photo.height - CROP)
            file = io.BytesIO()
            photo.crop((left, top, left + CROP, top + CROP)).save(file, "JPEG", quality=85)
            info = tarfile.TarInfo(f"{number:08d}.jpg")
            info.size = file.tell()
            file.seek(0)
            out.addfile(info, file)


def one(source: str, out: Path) -> None:
    """One run with one worker, and what memory it took."""
    prepare(find_source(source), out, SMALL, workers=1)
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"main {peak():.1f} MiB, worker {worker:.1f} MiB, {counts['tiles']:,} tiles")


def peak() -> float:
    """This process's peak in MiB; its ru_maxrss would begin with that of its parent."""
    (line,) = (x for x in Path("/proc/self/status").read_text().split("\n") if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def kills(photos: Path) -> None:
    """Kill the command ten times at random; the end must equal that of an undisturbed run."""
    folder = photos.parent
    start = time.monotonic()
    run(photos, folder / "whole").wait()
    took = time.monotonic() - start
    rng, killed = random.Random(0), 0
    while killed < 10:
        process = run(photos, folder / "killed")
        try:
            process.wait(timeout=rng.uniform(0.15, 0.45) * took)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            shards = len(list((folder / "killed").glob("shard-*")))
            print(f"kill {killed}: {shards} shards finished")
        else:  # it came to its end: begin again, until it was killed ten times
            compare(folder)
            shutil.rmtree(folder / "killed")
    run(photos, folder / "killed").wait()
    compare(folder)


def compare(folder: Path) -> None:
    whole, killed = (everything(folder / name) for name in ("whole", "killed"))
    different = sorted(dict(whole.items() ^ killed.items()))
    print(f"{len(whole)} files, {len(different)} differ {different}")
    if different:
        raise SystemExit(1)


def run(photos: Path, out: Path) -> "subprocess.Popen[bytes]":
    settings = ["--keep", str(KILLED.keep), "--shard-tiles", str(KILLED.shard_tiles)]
    command = [str(Path(sys.executable).parent / "rnncodec"), "prepare", str(photos), str(out)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*command, *settings, "--workers", "1"], stdout=quiet, stderr=quiet)


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


if __name__ == "__main__":
    main()
