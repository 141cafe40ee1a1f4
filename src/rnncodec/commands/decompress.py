"""`rnncodec decompress`: .rnc files to pictures."""

import dataclasses
import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image

from rnncodec import bitstream, models
from rnncodec.coding.input_image import mismatch
from rnncodec.commands import options
from rnncodec.commands.files import RNC, Direction, Reporter, find_files, plan
from rnncodec.errors import ConfigError, DataError, StorageError
from rnncodec.images.reading import formats

if TYPE_CHECKING:
    from rnncodec.codec import Codec


@dataclass(frozen=True)
class Output:
    """A format that holds a picture as it is, and how Pillow is asked for that."""

    kind: str  # Pillow's name
    options: Mapping[str, Any] = field(default_factory=dict)  # of `Image.save`
    profile: bool = True  # whether the ICC profile can be in it
    grey: bool = True  # whether it has grey pictures; without, they become RGB


JPEG = Output("JPEG", {"quality": 95, "subsampling": "4:4:4"})
TIFF = Output("TIFF")
OUTPUTS = {
    ".png": Output("PNG"),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".webp": Output("WEBP", {"lossless": True}, grey=False),
    ".jxl": Output("JXL", {"lossless": True}, profile=False),
    ".jp2": Output("JPEG2000", profile=False),
    ".j2k": Output("JPEG2000", {"no_jp2": True}, profile=False),
    ".avif": Output("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".bmp": Output("BMP", profile=False),
    ".ppm": Output("PPM", profile=False, grey=False),
    ".tga": Output("TGA", profile=False),
}
"""By suffix. All are lossless but JPEG and AVIF, which no setting of Pillow makes so.

Pillow writes more formats, which have fewer colours (GIF), sizes of their own (ICO, ICNS), other
qualities (MPO, PDF) or readers that few people have.
"""


def decompress(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help=".rnc files, folders of them, or - for standard input. The last one is the "
            "output if it is a folder, ends as a picture does (.png, .jpg, .tif, ...), or is - "
            "for standard output; without, photo.rnc becomes photo.png beside it.",
            show_default=False,
        ),
    ],
    out: options.Out = None,
    model: options.FoundModel = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            "-n",
            metavar="N",
            help="At most the first N; a file that has fewer gives what it has. Default: all.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Write no picture, and end with exit code 2, where a file has fewer than N "
            "iterations or, without N, is cut.",
        ),
    ] = False,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="Of a file that ends within an iteration, use what has arrived of it, too, block "
            "by block; no checksum vouches for these bits.",
        ),
    ] = False,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="L,U,R,B",
            help="Only the part between these borders, left, upper, right and lower, in pixels. "
            "Large pictures have tiles: those that it touches are decoded, in their share of the "
            "time.",
        ),
    ] = None,
    max_pixels: options.MaxPixels = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Of outputs that are not named: on standard output, beside the inputs, in a "
            "folder. One of png, tif, webp, jxl, jp2, j2k, jpg, avif, bmp, ppm, tga.",
        ),
    ] = "png",
    quality: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, metavar="1..100", help="Of .jpg (default: 95) and .avif (100)."
        ),
    ] = None,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    quiet: options.Quiet = False,
) -> None:
    """Decompress .rnc files to pictures.

    - `rnncodec decompress photo.rnc photo.png`
    - `rnncodec decompress coded/ --out pictures --iterations 4`

    A file that was cut decodes to the last whole iteration in it, with a warning. The picture's
    format follows its name, or --format. Lossless: .png, .tif, .webp, .jp2, .j2k, .bmp,
    .ppm, .tga, and .jxl with its plugin. Nearly: .jpg (quality 95, 4:4:4), .avif (quality 100,
    4:4:4). A colour profile that the format cannot hold is dropped with a warning. A PNG is
    larger than the .rnc file: what counts is the size of the latter, which is printed.
    """
    suffix = f".{kind.lower().removeprefix('.')}"
    if suffix not in writable():
        raise ConfigError(f"--format {kind}: expected one of {', '.join(writable())}")
    direction = Direction(suffix, is_output, find_files, "as a picture does (.png, ...)")
    jobs = plan(inputs, out, direction, force=force, skip_existing=skip_existing)
    to_stdout = any(job.target is None for job in jobs)
    if iterations is not None and iterations < 1:
        raise ConfigError(f"iterations={iterations}: expected 1 or more")
    try:
        box = None if region is None else [int(border) for border in region.split(",")]
    except ValueError as error:
        raise ConfigError(f"--region {region}: expected four numbers, as 0,0,640,480") from error
    codec_for = codec_source(model, device)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    with Reporter(len(jobs), "decompressing", quiet_stdout=to_stdout, quiet=quiet) as reporter:
        for job in jobs:
            with reporter.working_on(job.name, fatal=ConfigError):
                job.check_target(force=force)
                output = output_of(job.target, suffix, quality)
                data = job.read()
                found = bitstream.info(data)
                whole, hint = found.iterations, "without --strict those are used"
                if strict and iterations is not None and iterations > whole:
                    raise DataError(f"iterations={iterations}: this file has {whole}; {hint}")
                if strict and iterations is None and found.truncated:
                    raise DataError(f"the file is cut: it has {whole} whole iterations; {hint}")
                used = min(iterations or whole, whole)
                codec = codec_for(found.header.fingerprint)
                if partial and found.truncated and iterations is None:
                    used_of_it: dict[str, Any] = {"partial": True}
                else:
                    used_of_it = {"iterations": used}
                image = codec.decode(data, region=box, max_pixels=max_pixels, **used_of_it)
                picture, notes = picture_file(image, output)
                job.write(picture)
                for note in notes:
                    reporter.warn(job.name, note)
                header = found.header
                reporter.result(  # the rate is that of what was used of the file
                    f"{job.name} ({len(data):,} bytes) -> {job.target_name} "
                    f"({image.width}x{image.height}): {found.bpp[used - 1]:.3f} bpp, "
                    f"iteration {used} of {header.iterations}"
                )
            reporter.done()
    raise typer.Exit(reporter.exit_code)


def is_output(path: Path) -> bool:
    """Whether a name ends as that of a picture, or is none of an input."""
    suffix = path.suffix.lower()
    return suffix in known_suffixes() or (suffix not in ("", RNC) and not path.exists())


def known_suffixes() -> set[str]:
    """The suffixes of all pictures that Pillow writes, ours left out."""
    formats()  # registers them
    registered = Image.registered_extensions().items()
    # with rnncodec.pillow, Pillow writes our files too
    return {suffix for suffix, name in registered if name in Image.SAVE and suffix != RNC}


def writable() -> dict[str, Output]:
    """The formats that hold a picture and that this Pillow writes, by suffix."""
    formats()  # registers them
    return {suffix: output for suffix, output in OUTPUTS.items() if output.kind in Image.SAVE}


def codec_source(model: str | None, device: str) -> Callable[[bytes], "Codec"]:
    """What gives the codec for a fingerprint: always that of ``model``, or the one that fits."""

    @lru_cache(maxsize=2)  # models that stay loaded where files name several
    def loaded(path: Path) -> "Codec":
        from rnncodec.codec import load

        return load(path, device=device)

    named = None if model is None else models.path_of(model)
    return lambda fingerprint: loaded(named or models.find(fingerprint))


def output_of(target: Path | None, otherwise: str, quality: int | None) -> Output:
    """The format that an output's name asks for; without a name that of a suffix."""
    suffix = otherwise if target is None else target.suffix.lower()
    able = writable()
    if suffix not in able:
        problem = f"Pillow writes no pictures named *{suffix}"
        if suffix in known_suffixes():
            problem = f"a file *{suffix} may not hold the picture as it is"
        raise ConfigError(f"{target}: {problem}; try *{', *'.join(able)}")
    output = able[suffix]
    if quality is None:
        return output
    if "quality" not in output.options:
        raise ConfigError(f"--quality {quality}: *{suffix} has none; it is for *.jpg and *.avif")
    return dataclasses.replace(output, options={**output.options, "quality": quality})


def picture_file(image: Image.Image, output: Output) -> tuple[bytes, list[str]]:
    """The picture (L or RGB) as a file of a format, and what it could not hold.

    Raises StorageError if that is the picture itself.
    """
    notes, settings = [], dict(output.options)
    profile = image.info.pop("icc_profile", b"")  # Pillow would write it unasked
    hint = "" if mismatch(profile, image.mode) else "; *.png keeps it"
    if image.mode == "L":
        settings.pop("subsampling", None)  # AVIF would become one of colours
    if image.mode == "L" and not output.grey:
        image = image.convert("RGB")
    problem = mismatch(profile, image.mode) if output.profile else f"{output.kind} keeps none"
    if profile and problem:
        notes.append(f"the ICC profile is dropped: {problem}{hint}")
    elif profile:
        settings["icc_profile"] = profile
    buffer = io.BytesIO()
    try:
        image.save(buffer, output.kind, **settings)
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        raise StorageError(
            f"{output.kind} cannot hold this picture ({error}); try *.png"
        ) from error
    return buffer.getvalue(), notes
