"""`rnncodec truncate`: shorter .rnc files, without any model."""

from pathlib import Path
from typing import Annotated

import typer

from rnncodec import bitstream
from rnncodec.commands import options
from rnncodec.commands.files import (
    STREAM,
    Job,
    check_target,
    looks_like_folder,
    read,
    refuse_clashes,
    target_of,
    write,
)
from rnncodec.errors import ConfigError

SUFFIX = ".rnc"


def truncate(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="The .rnc file; - for standard input.")
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="The shorter file, or a folder for it; - for standard output."
        ),
    ],
    iterations: Annotated[
        int | None, typer.Option("--iterations", "-n", metavar="N", help="Keep the first N.")
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Keep as many iterations as fit in N bytes."),
    ] = None,
    force: options.Force = False,
) -> None:
    """Cut a .rnc file to fewer iterations, without any model.

    Give either --iterations or --max-bytes.
    """
    if (iterations is None) == (max_bytes is None):
        raise ConfigError("give either --iterations or --max-bytes")
    job = Job(None if source == STREAM else Path(source), destination(source, target))
    refuse_clashes([job])
    check_target(job, force=force)
    data = read(job)
    shorter = bitstream.truncate(data, iterations=iterations, max_bytes=max_bytes)
    write(job, shorter)
    before, after = bitstream.info(data), bitstream.info(shorter)
    typer.echo(
        f"{job.name} ({len(data):,} bytes) -> {job.target_name} ({len(shorter):,} bytes): "
        f"{after.bpp[-1]:.3f} bpp, {after.iterations} of {before.iterations} iterations",
        err=job.target is None,
    )


def destination(source: str, target: str) -> Path | None:
    """Where the shorter file goes; into a folder under the name it has.

    Raises:
        ConfigError: standard input has no name to use in a folder.
    """
    folder = Path(target) if looks_like_folder(target) else None
    path = None if source == STREAM else Path(source)
    return target_of(path, Path(Path(source).name), folder, (target, SUFFIX))
