"""One image through codecs: coded, decoded, measured; the entries of the cache hold it."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from rnncodec.errors import BitstreamError, ConfigError, DataError
from rnncodec.evaluation.codecs import CodedImage, EvaluatedCodec, ImageFile, file_hash
from rnncodec.evaluation.metrics import METRICS, USUAL, all_metrics, extra_metric
from rnncodec.evaluation.results import Result
from rnncodec.images.reading import Pixels, read_image
from rnncodec.machine.names import printable
from rnncodec.machine.storage import write_bytes, write_text
from rnncodec.version import __version__

LIBRARIES = ("numpy", "pillow", "psnr-hvsm", "torch")


class Scorer:
    """Measures pictures against one image.

    Codecs that differ only in how they write a picture down (the Huffman tables of JPEG) give
    the same picture again: its values are looked up.

    Args:
        image: the original, uint8 (H, W, 3).
        extra: names of ``EXTRA_METRICS``.
    """

    def __init__(self, image: Pixels, extra: Sequence[str] = ()) -> None:
        self.image = image
        self.extra = extra
        self.seen: dict[bytes, tuple[dict[str, float], str]] = {}

    def __call__(self, picture: Pixels) -> tuple[dict[str, float], str]:
        """A picture's values by metric, and why some are missing ("" where none is).

        Raises:
            DataError: it is not uint8 (H, W, 3) of the image's size.
        """
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
    """What a codec made of an image.

    Attributes:
        results: one row per setting, or one with the reason why there is none.
        peak_memory: bytes that the process held while coding; None where unknown.
        sha256: of the coded file that is stored, if one is.
    """

    results: list[Result]
    peak_memory: int | None = None
    sha256: str | None = None


def versions(extra: Sequence[str] = ()) -> dict[str, str]:
    """The versions that figures depend on; of torchmetrics only where it computes some."""
    libraries = (*LIBRARIES, "torchmetrics") if extra else LIBRARIES
    return {"rnncodec": __version__} | {name: version(name) for name in libraries}


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
    """Passes items on, and notes how much memory the process held while they were made.

    What their user does between two items does not count.

    Attributes:
        most: the highest resident memory in bytes; None where the system does not say.
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
    """What is measured, and where it is stored.

    Attributes:
        codecs: of different names.
        images: what they are measured on.
        folder: holds the coded files (``files/CODEC/IMAGE.rnc``) and the cache.
        extra: names of ``EXTRA_METRICS``.
    """

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

    Raises:
        StorageError: something could not be written.
        ModelError: a model's weights cannot be loaded.
    """
    try:
        scorer = Scorer(read_image(image.path), spec.extra)
    except DataError as error:
        for codec in codecs:
            yield codec.name, failure(codec.name, image.name, str(error))
        return
    for codec in codecs:
        if stopped():
            return
        try:
            entry = coded_entry(spec, image, codec, scorer)
        except (BitstreamError, ConfigError, DataError) as error:
            entry = failure(codec.name, image.name, str(error))
        else:
            rows = [row.record() for row in entry.results]
            content = {"results": rows, "peak_memory": entry.peak_memory, "kept": entry.sha256}
            write_text(spec.entry_file(image, codec), json.dumps(content) + "\n")
        yield codec.name, entry


def coded_entry(
    spec: EvaluationSpec, image: ImageFile, codec: EvaluatedCodec, scorer: Scorer
) -> Entry:
    """Every setting of a codec on an image; the last file is stored if the codec's files are."""
    height, width = scorer.image.shape[:2]
    steps: Watched[CodedImage] = Watched(codec.code(scorer.image))
    results, last = [], b""
    for coded in steps:
        last = coded.data
        values, reason = scorer(coded.picture)
        bpp = 8 * len(last) / (height * width)
        what = (codec.name, coded.setting, image.name, coded.iteration, len(last), bpp)
        results.append(Result(*what, values, coded.encode_s, coded.decode_s, reason))
    if codec.suffix is None:
        return Entry(results, steps.most)
    write_bytes(spec.coded_file(codec.name, image.name), last)
    return Entry(results, steps.most, hashlib.sha256(last).hexdigest())


def failure(codec: str, image: str, reason: str) -> Entry:
    """The entry of an image that a codec could not code: no figure, one reason."""
    return Entry([Result(codec, "", image, None, None, None, {}, reason=printable(reason))])
