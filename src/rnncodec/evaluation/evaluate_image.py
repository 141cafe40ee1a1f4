"""One image through codecs: coded, decoded, measured; the entries of the cache keep it."""

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rnncodec.errors import BitstreamError, ConfigError, DataError
from rnncodec.evaluation.codecs import Coded, EvaluatedCodec
from rnncodec.evaluation.image_files import Input, file_hash
from rnncodec.evaluation.metrics import METRICS, USUAL
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.scorer import Score, Scorer
from rnncodec.images.reading import Pixels, read_image
from rnncodec.machine.names import printable
from rnncodec.machine.storage import write_bytes, write_text
from rnncodec.version import __version__

LIBRARIES = ("numpy", "pillow", "psnr-hvsm", "torch")


@dataclass(frozen=True)
class Entry:
    """What a codec made of an image.

    Attributes:
        results: one row per setting, or one with the reason why there is none.
        peak_memory: bytes that the process held while coding; None where unknown.
        kept: SHA-256 of the file that is kept, if one is.
    """

    results: list[Result]
    peak_memory: int | None = None
    kept: str | None = None

    @property
    def failed(self) -> bool:
        """Whether there is nothing but a reason."""
        return all(result.bytes is None for result in self.results)


def versions(further: Sequence[str] = ()) -> dict[str, str]:
    """The versions that figures depend on; of torchmetrics only where it computes some."""
    libraries = [*LIBRARIES, *(["torchmetrics"] if further else [])]
    return {"rnncodec": __version__} | {
        library: importlib.metadata.version(library) for library in libraries
    }


def key(image_hash: str, codec: EvaluatedCodec, further: Sequence[str]) -> str:
    """The name of the entry of an image and a codec.

    Args:
        image_hash: of the image file.
        codec: its identity counts, its name does not.
        further: names of further metrics.
    """
    content = {
        "image": image_hash,
        "codec": codec.identity(),
        "metrics": [*(name for name in METRICS if name not in USUAL), *further],
        "versions": versions(further),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_entry(path: Path, entry: Entry) -> None:
    """Keep an entry, atomically.

    Raises:
        StorageError: it could not be written.
    """
    write_text(path, json.dumps(asdict(entry)) + "\n")


def read_entry(path: Path, *, codec: str, image: str) -> Entry | None:
    """An entry under the names of now; None if there is none, or none that can be read.

    Args:
        path: where :func:`write_entry` wrote it.
        codec: the codec's name.
        image: the image's name.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        results = [Result(**row) for row in content["results"]]
        named = [replace(result, codec=codec, image=image) for result in results]
        return Entry(named, content["peak_memory"], content["kept"])
    except (OSError, ValueError, KeyError, TypeError):  # it is measured again
        return None


T = TypeVar("T")

RESET = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def reset_peak() -> bool:
    """Forget the highest resident memory so far; whether the system could."""
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak() -> int | None:
    """The most resident memory, in bytes, since :func:`reset_peak`; None where unknown."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else None


class Watched(Iterator[T]):
    """Passes items on, and notes how much memory the process held while they were made.

    What their user does between two items does not count.

    Attributes:
        most: bytes; None where the system does not say.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self.items = items
        self.most: int | None = None

    def __next__(self) -> T:
        known = reset_peak()
        try:
            return next(self.items)
        finally:
            found = peak()
            if known and found is not None:
                self.most = max(found, self.most or 0)


@dataclass(frozen=True)
class EvaluationSpec:
    """What is measured, and where it is kept.

    Attributes:
        codecs: of different names.
        images: what they are measured on.
        folder: holds the coded files (``files/CODEC/IMAGE.rnc``) and the cache.
        further: names of further metrics.
    """

    codecs: Sequence[EvaluatedCodec]
    images: Sequence[Input]
    folder: Path
    further: Sequence[str] = ()

    def kept_file(self, codec: str, image: str) -> Path:
        """Where the file that a model made of an image is kept."""
        return self.folder / "files" / codec / f"{image}.rnc"

    def entry_file(self, image: Input, codec: EvaluatedCodec) -> Path:
        """Where the entry of an image and a codec is kept.

        Raises:
            DataError: the image file cannot be read.
        """
        return self.folder / "cache" / f"{self._key(image, codec)}.json"

    def _key(self, image: Input, codec: EvaluatedCodec) -> str:
        return key(file_hash(image.path), codec, self.further)


def known(study: EvaluationSpec, image: Input, codec: EvaluatedCodec) -> Entry | None:
    """The entry of an earlier run, if its coded file is still there too."""
    try:
        path = study.entry_file(image, codec)
    except DataError:
        return None
    entry = read_entry(path, codec=codec.name, image=image.name)
    if entry is None or entry.kept is None:
        return entry
    try:
        same = file_hash(study.kept_file(codec.name, image.name)) == entry.kept
    except DataError:
        return None
    return entry if same else None


def measure_image(
    study: EvaluationSpec,
    image: Input,
    codecs: Sequence[EvaluatedCodec],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, Entry]]:
    """Run codecs over one image: each one's name and entry, which is kept unless it failed.

    Args:
        study: what it belongs to.
        image: the image.
        codecs: still to be evaluated.
        stopped: asked before each codec; once it says so, no more are run.

    Raises:
        StorageError: something could not be written.
        ModelError: a model's weights cannot be loaded.
    """
    try:
        pixels = read_image(image.path)
    except DataError as error:
        for codec in codecs:
            yield codec.name, failure(codec.name, image.name, str(error))
        return
    scorer = Scorer(pixels, study.further)
    for codec in codecs:
        if stopped():
            return
        try:
            entry = coded_entry(study, image, codec, scorer)
        except (BitstreamError, ConfigError, DataError) as error:
            entry = failure(codec.name, image.name, str(error))
        else:
            write_entry(study.entry_file(image, codec), entry)
        yield codec.name, entry


def coded_entry(
    study: EvaluationSpec, image: Input, codec: EvaluatedCodec, scorer: Scorer
) -> Entry:
    """Every setting of a codec on an image; the last file is kept if the codec's files are."""
    steps = Watched(codec.code(scorer.image))
    results, last = [], b""
    for coded in steps:
        last = coded.data
        results.append(row((codec.name, image.name), scorer.image, coded, scorer(coded.picture)))
    if codec.suffix is None:
        return Entry(results, steps.most)
    write_bytes(study.kept_file(codec.name, image.name), last)
    return Entry(results, steps.most, hashlib.sha256(last).hexdigest())


def row(names: tuple[str, str], image: Pixels, coded: Coded, score: Score) -> Result:
    """One row of the table of results; ``names`` are those of codec and image."""
    height, width = image.shape[:2]
    return Result(
        codec=names[0],
        setting=coded.setting,
        image=names[1],
        iteration=coded.iteration,
        bytes=len(coded.data),
        bpp=8 * len(coded.data) / (height * width),
        psnr_rgb=score.values["psnr_rgb"],
        ssim=score.values["ssim"],
        ms_ssim=score.values["ms_ssim"],
        psnr_hvs=score.values["psnr_hvs"],
        psnr_hvs_m=score.values["psnr_hvs_m"],
        encode_s=coded.encode_s,
        decode_s=coded.decode_s,
        reason=score.reason,
        more={k: v for k, v in score.values.items() if k not in USUAL} | score.more,
    )


def failure(codec: str, image: str, reason: str) -> Entry:
    """The entry of an image that a codec could not code: no figure, one reason."""
    nothing = (None,) * 10
    return Entry([Result(codec, "", image, *nothing, reason=printable(reason))])
