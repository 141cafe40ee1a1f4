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
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from rnncodec.cli import app
from rnncodec.images.reading import Pixels, find_images, read_image
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files
from rnncodec.prepare.tiling import LEVEL, filtered, non_overlapping, shrink_to_fit

T = TypeVar("T")

SPEED = Settings(val_fraction=1e-9, photographs=1)
CROP = 64
SMALL = (
    *("--mode", "random", "--keep", "2", "--min-side", "32", "--shard-tiles", "512"),
    *("--val-fraction", "0.01"),
)
KILLED = Settings(keep=10, shard_tiles=16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("speed", "memory", "kills", "one"))
    parser.add_argument("photos")
    parser.add_argument("--images", type=int, default=60, help="photographs taken (speed, kills)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--loose", action="store_true", help="memory: files, not one tar file")
    parser.add_argument("--workers", type=int, default=1, help="for `one`")
    parser.add_argument("--out", help="for `one`: where to")
    options = parser.parse_args()
    if options.what == "one":  # a run of its own for `memory`
        return one(options.photos, options.out, options.workers)
    libraries = {name: version(name) for name in ("numpy", "pillow")}
    print({"python": sys.version.split()[0], "zlib": zlib.ZLIB_RUNTIME_VERSION, **libraries})
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "memory":
            paths = find_images(options.photos)
            return memory(paths, options.sizes, Path(folder), loose=options.loose)
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
        tiles = [
            non_overlapping(shrink_to_fit(image, SPEED.resize), SPEED.tile) for image in images
        ]
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


def memory(paths: list[Path], sizes: list[int], folder: Path, *, loose: bool) -> None:
    """Peak memory of the command and of its largest worker, by number of input images."""
    for count in sizes:
        source = folder / (f"{count}" if loose else f"{count}.tar")
        pictures = recropped(paths, count)
        write_files(pictures, source) if loose else write_archive(pictures, source)
        out = folder / f"{count}-tiles"
        start = time.monotonic()
        command = [sys.executable, __file__, "one", str(source), "--out", str(out)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(
            f"{count:>8,} images: {done.stdout.splitlines()[-1]}, {time.monotonic() - start:.0f} s"
        )
        shutil.rmtree(out)
        shutil.rmtree(source) if loose else source.unlink()


def recropped(paths: list[Path], count: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of small JPEG pictures, cut from the photographs at random places."""
    rng = random.Random(0)
    photos = [Image.open(path).convert("RGB") for path in paths[:: max(1, len(paths) // 100)]]
    for number in range(count):
        photo = photos[number % len(photos)]
        left, top = rng.randrange(photo.width - CROP), rng.randrange(photo.height - CROP)
        file = io.BytesIO()
        photo.crop((left, top, left + CROP, top + CROP)).save(file, "JPEG", quality=85)
        yield f"{number:08d}.jpg", file.getvalue()


def write_archive(pictures: Iterable[tuple[str, bytes]], path: Path) -> None:
    with tarfile.open(path, "w") as out:
        for name, data in pictures:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
            out.members = []  # type: ignore[attr-defined]  # it would keep them all


def write_files(pictures: Iterable[tuple[str, bytes]], folder: Path) -> None:
    for name, data in pictures:
        path = folder / name[:5] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def one(source: str, out: str, workers: int) -> None:
    """The command itself in this process, and what memory it took."""
    workers_peaks: dict[str, float] = {}
    threading.Thread(target=watch, args=(workers_peaks,), daemon=True).start()
    app(["prepare", source, out, *SMALL, "--workers", str(workers)], standalone_mode=False)
    counts = json.loads((Path(out) / "manifest.json").read_text())["counts"]
    rejected = sum(counts["rejected"].values())
    print(
        f"main {peak('self'):.1f} MiB, worker {max(workers_peaks.values(), default=0):.1f} MiB, "
        f"{counts['tiles']:,} tiles, {rejected:,} rejected"
    )


def watch(peaks: dict[str, float]) -> None:
    """Note the peaks of all child processes; what they reach in their last moment is missed.

    Their ru_maxrss would tell the end too, but begins with the peak of the process they came from.
    """
    while True:
        for children in Path("/proc/self/task").glob("*/children"):
            for process in children.read_text().split():
                with suppress(OSError, ValueError):  # it has ended
                    peaks[process] = peak(process)
        time.sleep(0.1)


def peak(process: str) -> float:
    """The peak of a process in MiB; what it was before it became what it is does not count."""
    (line,) = (x for x in Path(f"/proc/{process}/status").read_text().split("\n") if "VmHWM" in x)
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
