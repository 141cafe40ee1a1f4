"""`rnncodec truncate`: shorter .rnc files, without any model."""

from pathlib import Path
from typing import Annotated

import typer

from rnncodec import bitstream
from rnncodec.commands import options
from rnncodec.commands.files import STREAM, Job, check_target, read, refuse_clashes, write
from rnncodec.errors import ConfigError


def truncate(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="The .rnc file; - for standard input.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="The shorter file; - for standard output.")
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
    job = Job(*(None if name == STREAM else Path(name) for name in (source, target)))
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
