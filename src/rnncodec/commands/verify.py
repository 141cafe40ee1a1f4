"""`rnncodec verify`: whether .rnc files are whole, and their models there."""

import math
from pathlib import Path
from typing import Annotated

import typer

from rnncodec import bitstream
from rnncodec.commands import options
from rnncodec.commands.decompress import codec_source
from rnncodec.commands.files import STREAM, Job, find_files, read
from rnncodec.commands.reporter import Reporter
from rnncodec.errors import DataError


def verify(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help=".rnc files, folders of them, or - for standard input."
        ),
    ],
    model: options.FoundModel = None,
    quiet: options.Quiet = False,
) -> None:
    """Check .rnc files without drawing a picture.

    The codes of every iteration are decoded and held against their checksums, with the model that
    the file names. The exit code is 2 where a file is damaged or cut inside an iteration, or where
    its model is not here. A file that was cut between two iterations is whole.
    """
    paths = [path for name in files for path in found(name)]
    codec_for = codec_source(model, "cpu")
    with Reporter(len(paths), "verifying", quiet=quiet) as reporter:
        for path in paths:
            job = Job(path, None)
            with reporter.working_on(job.name):
                data = read(job)
                described = bitstream.info(data)
                if described.truncated:
                    raise DataError(
                        f"cut inside an iteration, after {described.iterations} whole ones; "
                        "rnncodec truncate makes a whole file of these"
                    )
                codec_for(described.header.fingerprint).decode_codes(data, max_pixels=math.inf)
                reporter.result(
                    f"{job.name}: {described.iterations} of {described.header.iterations} "
                    f"iterations, {described.file_bytes:,} bytes, intact"
                )
            reporter.done()
    raise typer.Exit(reporter.exit_code)


def found(name: str) -> list[Path | None]:
    """The files that an argument stands for; None is standard input."""
    if name == STREAM:
        return [None]
    return [*find_files(Path(name))] if Path(name).is_dir() else [Path(name)]
