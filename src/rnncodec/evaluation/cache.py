"""What was measured stays: one small JSON file per image and codec, named by all it depends on."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rnncodec.evaluation.codecs import EvaluatedCodec
from rnncodec.evaluation.metrics import METRICS, USUAL
from rnncodec.evaluation.results import Result
from rnncodec.machine.storage import write_text
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
