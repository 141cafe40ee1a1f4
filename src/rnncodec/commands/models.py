"""`rnncodec models`: the models that can be named or found."""

import json
from typing import Any

import typer

from rnncodec import models as shelf
from rnncodec.commands import options
from rnncodec.commands.info import describe_model
from rnncodec.errors import ModelError

COLUMNS = ("name", "bytes", "iterations", "cell", "width", "entropy", "score", "fingerprint")


def models(as_json: options.Json = False) -> None:
    """List the packaged models and those in RNNCODEC_MODELS.

    RNNCODEC_MODELS holds model files, and folders with *.safetensors, separated as in PATH. A
    name without its number means the newest packaged one. Earlier releases are in models/ of the
    repository.
    """
    found = []
    for path in shelf.files():
        try:
            found.append(describe_model(path))
        except ModelError as error:
            typer.echo(f"rnncodec: warning: passed over {error}", err=True)
    if as_json:
        for item in found:
            typer.echo(json.dumps(item))
        return
    for line in table(found):
        typer.echo(line)
    for short, full in shelf.aliases().items():
        typer.echo(f"{short} = {full}")
    if absent := sorted(set(shelf.released()) - set(shelf.catalogue())):
        typer.echo(f"earlier releases, not here: {', '.join(absent)}")
    if not found:
        typer.echo(
            f"no models: none is packaged, and {shelf.VARIABLE} names none; training writes one "
            "as model.safetensors",
            err=True,
        )


def table(found: list[dict[str, Any]]) -> list[str]:
    """Aligned columns, the heading first; nothing without models."""
    if not found:
        return []
    rows = [("NAME", *(column.upper() for column in COLUMNS[1:]), "FILE")]
    rows += [(*(shown(item, column) for column in COLUMNS), where(item)) for item in found]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def shown(item: dict[str, Any], column: str) -> str:
    """A model's value; scores of another metric than MS-SSIM have a unit."""
    unit = " dB" if column == "score" and item["score_metric"] == "psnr_rgb" else ""
    return cell(item[column]) + unit


def cell(value: Any) -> str:
    """A value in few characters."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def where(item: dict[str, Any]) -> str:
    """Where a model lies."""
    return "packaged" if item["packaged"] else str(item["file"])
