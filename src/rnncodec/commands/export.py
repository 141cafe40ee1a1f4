"""`rnncodec export`: a model for the page of `web/`, or for what runs ONNX."""

from pathlib import Path
from typing import Annotated

import typer

from rnncodec import models
from rnncodec.commands import options
from rnncodec.errors import ConfigError


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, or a name.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="With --web a file, with --onnx a folder.")
    ],
    web: Annotated[
        bool, typer.Option("--web", help="The decoder and the entropy model, without the encoder.")
    ] = False,
    onnx: Annotated[
        bool,
        typer.Option(
            "--onnx",
            help="encoder.onnx, decoder.onnx and, of scaled_additive, gain.onnx: one step each, "
            "with states as inputs and outputs, and free sizes.",
        ),
    ] = False,
    force: options.Force = False,
) -> None:
    """Write a model for other programs: give --web or --onnx.

    The page of web/ looks for models/FINGERPRINT.safetensors beside itself. What lies around a
    step of the ONNX graphs is told in FORMAT.md, "Network".
    """
    if web == onnx:
        raise ConfigError("give either --web or --onnx")
    path = models.path_of(model)
    if not force and (out.is_dir() and any(out.iterdir()) if onnx else out.exists()):
        raise ConfigError(f"{out}: exists; --force replaces it")
    if web:
        from rnncodec.models.web_export import export_web

        size = export_web(path, out)
        typer.echo(f"{path.name} -> {out}: {size:,} bytes, {models.fingerprint_of(path).hex()}")
        return
    from rnncodec.models.onnx_export import export_onnx

    for written in export_onnx(path, out):
        typer.echo(f"{path.name} -> {written}: {written.stat().st_size:,} bytes")
