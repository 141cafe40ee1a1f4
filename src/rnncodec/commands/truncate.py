"""`rnncodec truncate`: shorter .rnc files, without any model."""

from pathlib import Path
from typing import Annotated

import typer

from rnncodec import bitstream
from rnncodec.commands import options
from rnncodec.commands.decompress import codec_source
from rnncodec.commands.files import RNC, STREAM, Direction, Reporter, find_files, plan
from rnncodec.errors import ConfigError


def truncate(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... OUT",
            help=".rnc files, folders of them, or - for standard input; last the shorter file, a "
            "folder for it, or - for standard output, unless --out names a folder.",
            show_default=False,
        ),
    ],
    out: options.Out = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", "-n", metavar="N", help="Keep the first N.")
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Keep as many iterations as fit in N bytes."),
    ] = None,
    bpp: Annotated[
        float | None,
        typer.Option(
            "--bpp", metavar="RATE", help="Keep as many as fit in so many bits per pixel."
        ),
    ] = None,
    fill: Annotated[
        bool,
        typer.Option(
            "--fill",
            help="Spend what whole iterations leave of --max-bytes or --bpp on part of the next "
            "one, in the blocks that it changes most. This needs the model, and time to decode.",
        ),
    ] = False,
    model: options.FoundModel = None,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    quiet: options.Quiet = False,
) -> None:
    """Cut .rnc files to fewer iterations, without any model (but for --fill).

    - `rnncodec truncate photo.rnc small.rnc --max-bytes 9000`
    - `rnncodec truncate coded/ --out small --bpp 0.25 --fill`

    Give one of --iterations, --max-bytes and --bpp.
    """
    if [iterations, max_bytes, bpp].count(None) != 2:
        raise ConfigError("give either --iterations or --max-bytes or --bpp")
    if fill and iterations is not None:
        raise ConfigError("--fill goes with --max-bytes or --bpp; --iterations are whole ones")
    if model is not None and not fill:
        raise ConfigError(f"--model {model}: is for --fill; give that, too, or leave it out")
    if len(inputs) == 1 and out is None and inputs != [STREAM]:
        raise ConfigError(f"{inputs[0]}: name the shorter file after it, or a folder with --out")

    def is_output(path: Path) -> bool:  # a file of any name, where there is a single one to cut
        return path.suffix.lower() == RNC or not Path(inputs[0]).is_dir()

    direction = Direction(RNC, is_output, find_files, f"in {RNC}")
    jobs = plan(inputs, out, direction, force=force, skip_existing=skip_existing)
    to_stdout = any(job.target is None for job in jobs)
    codec_for = codec_source(model, "cpu")
    with Reporter(len(jobs), "truncating", quiet_stdout=to_stdout, quiet=quiet) as reporter:
        for job in jobs:
            with reporter.working_on(job.name):
                job.check_target(force=force)
                data = job.read()
                if fill:
                    codec = codec_for(bitstream.info(data).header.fingerprint)
                    shorter = codec.truncate(data, max_bytes=max_bytes, bpp=bpp)
                else:
                    shorter = bitstream.truncate(
                        data, iterations=iterations, max_bytes=max_bytes, bpp=bpp
                    )
                job.write(shorter)
                before, after = bitstream.info(data), bitstream.info(shorter)
                reporter.result(
                    f"{job.name} ({len(data):,} bytes) -> {job.target_name} "
                    f"({len(shorter):,} bytes): {after.bpp[-1]:.3f} bpp, {after.iterations} of "
                    f"{before.iterations} iterations"
                )
            reporter.done()
    raise typer.Exit(reporter.exit_code)
