"""`rnncodec decompress`: .rnc files to pictures."""

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image

from rnncodec import bitstream, models
from rnncodec.bitstream import Info
from rnncodec.commands import options
from rnncodec.commands.files import (
    Direction,
    Job,
    check_target,
    plan,
    read,
    to_do,
    write,
)
from rnncodec.commands.reporter import Reporter
from rnncodec.errors import ConfigError, DataError, StorageError
from rnncodec.images.reading import walk

if TYPE_CHECKING:
    from rnncodec.codec import Codec

SUFFIX = ".png"
INPUT = ".rnc"
LOSSLESS_OR_NEAR: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
}
"""Settings of formats that would lose visibly more otherwise."""
MODELS_KEPT = 2
"""How many models stay loaded while files of several models are decompressed."""

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help=".rnc files, folders of them, or - for standard input. The last one is the output "
        "if it is a folder, ends as a picture does (.png, .jpg, .tif, ...), or is - for standard "
        "output; without, photo.rnc becomes photo.png beside it.",
        show_default=False,
    ),
]


def decompress(
    inputs: Inputs,
    out: options.Out = None,
    model: options.FoundModel = None,
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", "-n", metavar="N", help="Only the first N; default: all."),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Refuse larger pictures; default: Pillow's limit, about 89 million.",
        ),
    ] = None,
    device: options.Device = "cpu",
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    quiet: options.Quiet = False,
) -> None:
    """Decompress .rnc files to pictures.

    - `rnncodec decompress photo.rnc photo.png`
    - `rnncodec decompress coded/ --out pictures --iterations 4`

    A file that was cut decodes to the last whole iteration in it, with a warning. The picture's
    format follows its name; PNG if it has none. A PNG is larger than the .rnc file: what counts
    is the size of the latter, which is printed.
    """
    direction = Direction(SUFFIX, is_output, find_files, "as a picture does")
    jobs = to_do(plan(inputs, out, direction), force=force, skip_existing=skip_existing)
    to_stdout = any(job.target is None for job in jobs)
    codec_for = codec_source(model, device)
    with Reporter(len(jobs), "decompressing", quiet_stdout=to_stdout, quiet=quiet) as reporter:
        for job in jobs:
            with reporter.working_on(job.name):
                check_target(job, force=force)
                kind = format_of(job.target)
                data = read(job)
                limits = {"iterations": iterations, "max_pixels": max_pixels}
                found = bitstream.info(data)
                codec = codec_for(found.header.fingerprint)
                image = codec.decode(data, **limits)
                write(job, picture_file(image, kind))
                reporter.result(summary(job, found, iterations))
            reporter.done()
    raise typer.Exit(reporter.exit_code)


def is_output(path: Path) -> bool:
    """Whether a name ends as that of a picture, or is none of an input."""
    suffix = path.suffix.lower()
    return suffix in writable() or (suffix not in ("", INPUT) and not path.exists())


def find_files(folder: Path) -> list[Path]:
    """The .rnc files under a folder that are not hidden there, at least one.

    Raises:
        DataError: there is none.
    """
    found = sorted(path for path in walk(folder) if path.suffix == INPUT and path.is_file())
    if not found:
        raise DataError(f"no {INPUT} files under {folder}")
    return found


def writable() -> dict[str, str]:
    """Pillow's format by suffix, of those it writes."""
    registered = Image.registered_extensions()
    return {
        suffix: name
        for suffix, name in registered.items()
        if name in Image.SAVE and suffix != INPUT  # with rnncodec.pillow, Pillow writes it too
    }


def codec_source(model: str | None, device: str) -> Callable[[bytes], "Codec"]:
    """What gives the codec for a fingerprint: always that of ``model``, or the one that fits."""

    @lru_cache(maxsize=MODELS_KEPT)
    def loaded(path: Path) -> "Codec":
        from rnncodec.codec import load

        return load(path, device=device)

    named = None if model is None else models.path_of(model)
    return lambda fingerprint: loaded(named or models.find(fingerprint))


def format_of(target: Path | None) -> str:
    """Pillow's name of the format that an output's name asks for.

    Raises:
        ConfigError: the name does not end as that of a picture.
    """
    suffix = SUFFIX if target is None else target.suffix.lower()
    if suffix not in writable():
        raise ConfigError(f"{target}: Pillow writes no pictures named *{suffix}; try *{SUFFIX}")
    return writable()[suffix]


def picture_file(image: Image.Image, kind: str) -> bytes:
    """The picture as a file of one of Pillow's formats.

    Raises:
        StorageError: this format cannot hold it.
    """
    settings = dict(LOSSLESS_OR_NEAR.get(kind, {}))
    if "icc_profile" in image.info:
        settings["icc_profile"] = image.info["icc_profile"]
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **settings)
    except (OSError, ValueError) as error:
        raise StorageError(f"{kind} cannot hold this picture ({error}); try *{SUFFIX}") from error
    return buffer.getvalue()


def summary(job: Job, found: Info, iterations: int | None) -> str:
    """What was read and written; the rate is that of what was used of the file."""
    used, written = iterations or found.iterations, found.header.iterations
    size = f"{found.header.width}x{found.header.height}"
    return (
        f"{job.name} ({found.file_bytes:,} bytes) -> {job.target_name} ({size}): "
        f"{found.bpp[used - 1]:.3f} bpp, iteration {used} of {written}"
    )
