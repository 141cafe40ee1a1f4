"""evaluation.json: what a table of results is about, so that its folder explains itself."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnncodec.errors import DataError
from rnncodec.evaluation.cache import versions
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.inputs import Input, file_hash
from rnncodec.evaluation.measuring import Study
from rnncodec.evaluation.runner import Measured
from rnncodec.images.reading import read_size
from rnncodec.machine.storage import write_text

NAME = "evaluation.json"


def describe(
    study: Study, measured: Measured, *, left_out: Sequence[str], published: str | None
) -> dict[str, Any]:
    """What evaluation.json holds.

    ``images``: name, path, width, height, SHA-256 (an unreadable one has a reason instead).
    ``codecs`` by name: for our models what the model file says and its path, for the others
    settings and libraries; and the peak memory of a process while it codes, in bytes, all of
    Python and torch included. ``left_out``: codecs that this installation lacks. ``published``:
    the file of published curves in the folder, if one was given.
    """
    return {
        "images": [describe_image(image) for image in study.images],
        "codecs": {
            codec.name: {
                **codec.identity(),
                **(codec.facts if isinstance(codec, EvaluatedModel) else {}),
                **({"path": str(codec.path)} if isinstance(codec, EvaluatedModel) else {}),
                "peak_memory": measured.peak_memory[codec.name],
            }
            for codec in study.codecs
        },
        "left_out": list(left_out),
        "published": published,
        "metrics": list(study.further),
        "versions": versions(study.further),
    }


def describe_image(image: Input) -> dict[str, Any]:
    """One image file as plain data."""
    path = str(image.path.resolve())
    try:
        width, height = read_size(image.path)
        digest = file_hash(image.path)
    except DataError as error:
        return {"name": image.name, "path": path, "reason": str(error)}
    return {
        "name": image.name,
        "path": path,
        "width": width,
        "height": height,
        "sha256": digest,
    }


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Write evaluation.json, atomically.

    Raises:
        StorageError: it could not be written.
    """
    write_text(folder / NAME, json.dumps(description, indent=2) + "\n")
