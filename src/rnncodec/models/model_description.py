"""What a model file says about itself, read without its weights and without torch."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from rnncodec.errors import ModelError
from rnncodec.network.families import RENAMED

KEY = "rnncodec"
FORMAT = 1
PLAIN = re.compile(r"[\w.+<>-]{1,200}")
"""A name of Python's, or of a package, or a version."""

SCORE_METRICS = {"ms_ssim": "MS-SSIM", "psnr_rgb": "PSNR (dB)"}
"""What the mean over the iterations may be of that selects the best weights of a training."""


def read_description(path: str | Path) -> dict[str, Any]:
    """The description in a model file's metadata.

    Its ``fingerprint`` is a hint to find the file by (hexadecimal, or None): only loading the
    weights proves it.

    Raises:
        ModelError: no such file, not a model file, damaged, or from a newer version.
    """
    with opened(path, framework="numpy") as file:
        return describe(file, Path(path))


@contextmanager
def opened(path: str | Path, *, framework: str) -> Iterator[Any]:
    """An open safetensors file.

    Raises:
        ModelError: no such file, not a safetensors file, or damaged.
    """
    if not Path(path).is_file():
        raise ModelError(f"{path}: no such model file")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a model file, or damaged ({error})") from error


def describe(file: Any, path: Path) -> dict[str, Any]:
    """The description in an open safetensors file, its keys checked.

    Raises:
        ModelError: it has none of ours; damaged, or of a newer format.
    """
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise ModelError(f"{path}: a safetensors file, but not of rnncodec: no {KEY!r} metadata")
    try:
        description = json.loads(text)
        version = int(description["format"])
        if version > FORMAT:
            raise ModelError(
                f"{path}: format {version}; this version reads up to {FORMAT}; upgrade rnncodec"
            )
        description.setdefault("fingerprint", None)
        description.setdefault("plugins", [])
        wanted: dict[str, Any] = {
            "network": dict,
            "entropy": (dict, type(None)),
            "notes": dict,
            "fingerprint": (str, type(None)),
            "plugins": list,
        }
        for key, kind in wanted.items():
            if not isinstance(description[key], kind):
                raise TypeError(f"{key} is a {type(description[key]).__name__}")
        check_origins(description["plugins"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: its description is damaged ({error!r})") from error
    return {key: description[key] for key in ("format", *wanted)}


def check_origins(plugins: list[Any]) -> None:
    """Refuse, with a TypeError, what says anything but the names of plug-ins, all texts."""
    for each in plugins:
        if not isinstance(each, dict) or not {"group", "name", "class"} <= set(each):
            raise TypeError("plugins: expected group, name and class of each")
        if each["group"] not in ("cells", "recons", "binarizers", "entropy_models"):
            raise TypeError("plugins: an unknown group")
        if not all(isinstance(text, str) and PLAIN.fullmatch(text) for text in each.values()):
            raise TypeError("plugins: expected names")


def score_metric(notes: Mapping[str, Any]) -> str | None:
    """The metric of a model's selection score, a key of :data:`SCORE_METRICS`; None without one.

    Earlier files do not note it: a value of at most 1 is MS-SSIM, since no mean PSNR is so low.

    Examples:
        >>> score_metric({"score": 0.97}), score_metric({"score": 7.96}), score_metric({})
        ('ms_ssim', 'psnr_rgb', None)
    """
    noted, score = notes.get("score_metric"), notes.get("score")
    if noted in SCORE_METRICS:
        return str(noted)
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        return None
    return "ms_ssim" if score <= 1 else "psnr_rgb"


def part_name(description: Any) -> str | None:
    """The name in a part's description, if it has one; of one that was renamed, today's."""
    name = description.get("name") if isinstance(description, dict) else None
    return RENAMED.get(name, name) if isinstance(name, str) else name


def not_finite_in(path: str | Path) -> list[str]:
    """The names of a model file's tensors that hold a NaN or an infinity.

    Raises:
        ModelError: no such file, not a model file, or damaged.
    """
    with opened(path, framework="numpy") as file:
        names = file.keys()
        return [name for name in names if not np.isfinite(file.get_tensor(name)).all()]


def parameter_counts(path: str | Path) -> dict[str, int]:
    """How many numbers each part of a model (``network``, ``entropy``) has, from their shapes.

    Raises:
        ModelError: no such file, not a model file, or damaged.
    """
    counts: Counter[str] = Counter()
    with opened(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118  # no mapping
            counts[name.partition(".")[0]] += math.prod(file.get_slice(name).get_shape())
    return dict(counts)
