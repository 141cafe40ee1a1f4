"""Runs codecs over images: side by side in processes, resuming from the cache of entries."""

import contextlib
import functools
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from rnncodec import plugins
from rnncodec.errors import BitstreamError, ConfigError, DataError
from rnncodec.evaluation.codecs import CodedImage, EvaluatedCodec, ImageFile, file_hash
from rnncodec.evaluation.metrics import (
    EXTRA_METRICS,
    METRICS,
    USUAL,
    all_metrics,
    extra_metric,
)
from rnncodec.evaluation.results import Result
from rnncodec.images.reading import Pixels, read_image
from rnncodec.machine.pool import ProcessPool, is_stopping, is_worker, worker_count
from rnncodec.machine.progress import progress_bar
from rnncodec.machine.storage import printable, write_bytes, write_text
from rnncodec.version import __version__


class Scorer:
    """Measures pictures against one image, uint8 (H, W, 3), also by ``extra`` metrics.

    Codecs that differ only in how they write a picture down (the Huffman tables of JPEG) give the
    same picture again: its values are looked up.
    """

    def __init__(self, image: Pixels, extra: Sequence[str] = ()) -> None:
        self.image = image
        self.extra = extra
        self.seen: dict[bytes, tuple[dict[str, float], str]] = {}

    def __call__(self, picture: Pixels) -> tuple[dict[str, float], str]:
        """A picture's values, and why some are missing; DataError if of another size."""
        key = hashlib.blake2b(np.ascontiguousarray(picture).tobytes()).digest()
        if key in self.seen:
            return self.seen[key]
        reference, test = as_tensor(self.image), as_tensor(picture)
        values = all_metrics(reference, test)
        height, width = self.image.shape[:2]
        reasons = [
            f"{name} needs sides of at least {metric.min_side} pixels, got {width}x{height}"
            for name, metric in METRICS.items()
            if name not in values
        ]
        for name in self.extra:
            try:
                values[name] = extra_metric(name, reference, test)
            except DataError as error:
                reasons.append(str(error))
        self.seen[key] = values, "; ".join(reasons)
        return self.seen[key]


def as_tensor(image: Pixels) -> torch.Tensor:
    """(H, W, 3) -> (1, 3, H, W), contiguous."""
    return torch.from_numpy(np.array(image)).movedim(-1, 0)[None].contiguous()


@dataclass(frozen=True)
class Entry:
    """What a codec made of an image: rows, one per setting or one reason.

    ``sha256`` is that of the coded file that is stored, if one is.
    """

    results: list[Result]
    peak_memory: int | None = None
    sha256: str | None = None


def versions(extra: Sequence[str] = ()) -> dict[str, str]:
    """The versions that figures depend on; of torchmetrics and plug-ins where they are used."""
    own = [name for name in extra if name in EXTRA_METRICS]
    libraries = ["numpy", "pillow", "psnr-hvsm", "torch", *(["torchmetrics"] if own else [])]
    found = {"rnncodec": __version__} | {name: version(name) for name in libraries}
    return found | {name: plugins.version_of("metrics", name) for name in extra if name not in own}


def cache_key(image_hash: str, codec: EvaluatedCodec, extra: Sequence[str]) -> str:
    """The name of the cache's entry of an image file and a codec, whose own name says nothing."""
    content = {
        "image": image_hash,
        "codec": codec.identity(),
        "metrics": [*(name for name in METRICS if name not in USUAL), *extra],
        "versions": versions(extra),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_entry(path: Path, *, codec: str, image: str) -> Entry | None:
    """An entry under the names of now; None if there is none, or none that can be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        rows = [Result.of_record(row) for row in content["results"]]
        named = [replace(row, codec=codec, image=image) for row in rows]
        return Entry(named, content["peak_memory"], content["kept"])
    except (OSError, ValueError, KeyError, TypeError):  # it is measured again
        return None


T = TypeVar("T")

RESET = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


class Watched(Iterator[T]):
    """Passes items on; ``most`` is the most resident bytes while they were made, None if unknown.

    What their user does between two items does not count.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self.items = items
        self.most: int | None = None

    def __next__(self) -> T:
        known = False
        with contextlib.suppress(OSError):
            known = RESET.write_text("5") > 0  # forgets the highest so far
        try:
            return next(self.items)
        finally:
            with contextlib.suppress(OSError):
                lines = STATUS.read_text().splitlines()
                found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
                if found and known:
                    self.most = max(int(found[0]) * 1024, self.most or 0)


@dataclass(frozen=True)
class EvaluationSpec:
    """What is measured, by which ``extra`` metrics, and the folder of coded files and cache."""

    codecs: Sequence[EvaluatedCodec]
    images: Sequence[ImageFile]
    folder: Path
    extra: Sequence[str] = ()

    def coded_file(self, codec: str, image: str) -> Path:
        """Where the file that a model made of an image is stored."""
        return self.folder / "files" / codec / f"{image}.rnc"

    def entry_file(self, image: ImageFile, codec: EvaluatedCodec) -> Path:
        """Where the cache has the entry of both; DataError if the image cannot be read."""
        key = cache_key(file_hash(image.path), codec, self.extra)
        return self.folder / "cache" / f"{key}.json"


def known(spec: EvaluationSpec, image: ImageFile, codec: EvaluatedCodec) -> Entry | None:
    """The entry of an earlier run, if its coded file is still there too."""
    try:
        path = spec.entry_file(image, codec)
        entry = read_entry(path, codec=codec.name, image=image.name)
        if entry is None or entry.sha256 is None:
            return entry
        same = file_hash(spec.coded_file(codec.name, image.name)) == entry.sha256
    except DataError:
        return None
    return entry if same else None


def measure_image(
    spec: EvaluationSpec,
    image: ImageFile,
    codecs: Sequence[EvaluatedCodec],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, Entry]]:
    """Run codecs over one image: each one's name and entry, which is stored unless it failed.

    ``stopped`` is asked before each codec; once it says so, no more are run.
    """

    def failure(codec: EvaluatedCodec, error: Exception) -> tuple[str, Entry]:
        reason = printable(str(error))
        row = Result(codec.name, "", image.name, None, None, None, {}, reason=reason)
        return codec.name, Entry([row])

    try:
        scorer = Scorer(read_image(image.path), spec.extra)
    except DataError as error:
        yield from (failure(codec, error) for codec in codecs)
        return
    height, width = scorer.image.shape[:2]
    for codec in codecs:
        if stopped():
            return
        steps: Watched[CodedImage] = Watched(codec.code(scorer.image))
        results, last, sha256 = [], b"", None
        try:
            with guarded(codec):
                for coded in steps:
                    last = coded.data
                    values, reason = scorer(coded.picture)
                    bpp = 8 * len(last) / (height * width)
                    what = (codec.name, coded.setting, image.name, coded.iteration, len(last), bpp)
                    results.append(Result(*what, values, coded.encode_s, coded.decode_s, reason))
            if codec.suffix is not None:
                write_bytes(spec.coded_file(codec.name, image.name), last)
                sha256 = hashlib.sha256(last).hexdigest()
        except (BitstreamError, ConfigError, DataError) as error:
            yield failure(codec, error)
            continue
        rows = [row.record() for row in results]
        content = {"results": rows, "peak_memory": steps.most, "kept": sha256}
        write_text(spec.entry_file(image, codec), json.dumps(content) + "\n")
        yield codec.name, Entry(results, steps.most, sha256)


def guarded(codec: EvaluatedCodec) -> AbstractContextManager[None]:
    """Around a codec from outside: whatever it raises is the reason of its row."""
    return plugins.refusing("plug-in") if plugins.is_outside(codec) else contextlib.nullcontext()


Entries: TypeAlias = dict[tuple[str, str], Entry]
"""(codec, image) -> what was measured."""
Task: TypeAlias = tuple[int, tuple[int, ...]]
"""What one process does in one go: some codecs on one image, all by their positions."""


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        results: the table, by codec, then image, then setting.
        peak_memory: by codec, the most bytes a process held while coding; None where unknown.
        found: how many pairs of codec and image an earlier run had measured.
    """

    results: list[Result]
    peak_memory: dict[str, int | None]
    found: int


def run(spec: EvaluationSpec, *, workers: int = 1, progress: bool = True) -> EvaluationResult:
    """Measure what is not known yet.

    A model's work on an image is one task. The formats whose files are not stored are another
    one, all together: some of them share their pictures, which are then measured once.
    ``workers`` are processes of one thread each; 0 and 1 stay in this process, with its threads.

    Raises:
        DataError: no images; not one image could be coded.
        ConfigError: fewer workers than none; one was killed.
        StorageError: something could not be written.
        ModelError: a model's weights cannot be loaded.
    """
    workers = worker_count(workers)
    if not spec.images:
        raise DataError("evaluation: expected at least one image, got none; check the eval folder")
    entries: Entries = {}
    tasks: list[Task] = []
    for number, image in enumerate(spec.images):
        groups: dict[int, list[int]] = defaultdict(list)
        for k, codec in enumerate(spec.codecs):
            entry = known(spec, image, codec)
            if entry is None:
                groups[-1 if codec.suffix is None else k].append(k)
            else:
                entries[codec.name, image.name] = entry
        tasks += [(number, tuple(group)) for group in groups.values()]
    found = len(entries)
    processes = min(workers, len(tasks)) if workers > 1 else 0
    work = functools.partial(measure_task, spec)
    with progress_bar(hidden=not progress) as bar, ProcessPool(work, processes) as pool:
        total = len(spec.images) * len(spec.codecs)
        task = bar.add_task("evaluating", total=total, completed=found)
        for done in pool.completed(tasks):
            entries |= done
            bar.advance(task, len(done))
    results: list[Result] = []
    memory: dict[str, int | None] = {}
    for codec in spec.codecs:
        own = [entries[codec.name, image.name] for image in spec.images]
        results += [result for entry in own for result in entry.results]
        peaks = [entry.peak_memory for entry in own if entry.peak_memory is not None]
        memory[codec.name] = max(peaks, default=None)
    if all(result.bytes is None for result in results):
        raise DataError(
            f"none of the {len(spec.images)} images could be coded by any codec; the first: "
            f"{results[0].image}: {results[0].reason}"
        )
    return EvaluationResult(results, memory, found)


def measure_task(spec: EvaluationSpec, task: Task) -> Entries:
    """Some codecs on one image; models stay loaded from one task to the next."""
    if is_worker():
        torch.set_num_threads(1)
    image = spec.images[task[0]]
    done = measure_image(spec, image, [spec.codecs[k] for k in task[1]], is_stopping)
    return {(name, image.name): entry for name, entry in done}
