"""`rnncodec models`: the models that can be named or found."""

import json
from typing import Any

import typer

from rnncodec import models as model_files
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
    for path in model_files.files():
        try:
            found.append(describe_model(path))
        except ModelError as error:
            typer.echo(f"rnncodec: warning: passed over {error}", err=True)
    if as_json:
        for item in found:
            typer.echo(json.dumps(item))
        return
    if found:
        rows = [("NAME", *(column.upper() for column in COLUMNS[1:]), "FILE")]
        for item in found:
            place = "packaged" if item["packaged"] else str(item["file"])
            rows.append((*(shown(item, column) for column in COLUMNS), place))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())
    for short, full in model_files.aliases().items():
        typer.echo(f"{short} = {full}")
    if absent := sorted(set(model_files.released()) - set(model_files.catalogue())):
        typer.echo(f"earlier releases, not here: {', '.join(absent)}")
    if not found:
        typer.echo(
            f"no models: none is packaged, and {model_files.VARIABLE} names none; training writes "
            "one as model.safetensors",
            err=True,
        )


def shown(item: dict[str, Any], column: str) -> str:
    """A model's value in few characters; scores of another metric than MS-SSIM have a unit."""
    value = item[column]
    if value is None:
        return "-"
    if isinstance(value, float):
        unit = " dB" if column == "score" and item["score_metric"] == "psnr_rgb" else ""
        return f"{value:.4g}{unit}"
    return f"{value:,}" if isinstance(value, int) else str(value)
