"""`rnncodec compress`: pictures to .rnc files."""

import contextlib
import dataclasses
import io
import json
import math
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncodec import bitstream
from rnncodec.commands import options
from rnncodec.commands.files import RNC, Direction, Job, Reporter, plan
from rnncodec.errors import ConfigError, DataError, TargetWarning
from rnncodec.images.reading import find_images, open_image, pixel_limit, read_size
from rnncodec.models import DEFAULT

if TYPE_CHECKING:
    from rnncodec.codec import Codec
    from rnncodec.coding.input_image import InputImage

BATCH_IMAGES = 8
BATCH_PIXELS = 2**21
"""Images of one size are coded together up to this many pixels: those of one in one piece."""

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Pictures, folders of pictures, or - for standard input. The last one is the output "
        "if it is a folder, ends in .rnc, or is - for standard output; without, photo.png becomes "
        "photo.rnc beside it.",
        show_default=False,
    ),
]
Iterations = Annotated[
    int | None, typer.Option("--iterations", "-n", metavar="N", help="How many; default: all.")
]
BPP = Annotated[
    float | None,
    typer.Option("--bpp", metavar="RATE", help="At most so many bits per pixel, header included."),
]
MaxBytes = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Files of at most N bytes, header included."),
]
MSSSIM = Annotated[
    float | None,
    typer.Option(
        "--ms-ssim", metavar="0..1", help="Stop when MS-SSIM reaches this; sides >= 176."
    ),
]
PSNR = Annotated[
    float | None, typer.Option("--psnr", metavar="DB", help="Stop when PSNR reaches this.")
]
TileSide = Annotated[
    int | None,
    typer.Option(
        "--tile",
        metavar="PIXELS",
        help="Side of tiles coded by themselves, a multiple of 16; 0: one piece; default: 1024 "
        "for pictures over 2 Mpixel.",
    ),
]
Adaptive = Annotated[
    str | None,
    typer.Option(
        "--adaptive",
        metavar=options.ADAPTIVE_FORM,
        help="Let blocks of 16x16 pixels end where further bits would lower the squared error "
        "(mse), or that over the variance (ssim), by less than THRESHOLD each 32; default: what "
        "fits --bpp, --ms-ssim or --psnr, else 0.01 (ssim) or 0.0001 (mse).",
    ),
]
Effort = Annotated[
    int,
    typer.Option(
        "--effort",
        metavar="STEPS",
        help="Search for better bits by so many steps of gradient descent for those of each "
        "iteration: with 4 pictures of equal MS-SSIM take 10 to 25 % fewer bytes, in 7 to 25 "
        "times the time (up to 40 where bf16 does not pay); more save more. The compact model "
        "needs 5 GiB a Mpixel, 9 in float32, which --tile 512 limits, and with a target up to 2 "
        "more.",
    ),
]
EffortFor = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar=options.EFFORT_FOR_FORM,
        help="The metric that --effort makes better; balanced: MS-SSIM and PSNR-HVS alike; "
        "default: what the model's own loss weighs (compact: ms_ssim).",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Write no file, and end with exit code 2, where --bpp, --max-bytes, --ms-ssim or "
        "--psnr cannot be reached; else the best reachable is written, with a warning.",
    ),
]
KeepExtension = Annotated[
    bool,
    typer.Option(
        "--keep-extension",
        help="Name outputs photo.png.rnc instead of photo.rnc: for folders that hold pictures "
        "which differ in their extension only.",
    ),
]


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A picture that was read, and how long its file is."""

    job: Job
    picture: "InputImage"
    size: int


def compress(
    inputs: Inputs,
    out: options.Out = None,
    model: options.Model = DEFAULT,
    iterations: Iterations = None,
    bpp: BPP = None,
    max_bytes: MaxBytes = None,
    ms_ssim: MSSSIM = None,
    psnr: PSNR = None,
    tile: TileSide = None,
    adaptive: Adaptive = None,
    effort: Effort = 0,
    effort_for: EffortFor = None,
    strict: Strict = False,
    max_pixels: options.MaxPixels = None,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    keep_extension: KeepExtension = False,
    force: options.Force = False,
    skip_existing: options.SkipExisting = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compress pictures to .rnc files.

    - `rnncodec compress photo.png photo.rnc --bpp 0.5`
    - `rnncodec compress holiday/ --out coded --ms-ssim 0.98`

    At most one of --iterations, --bpp, --max-bytes, --ms-ssim and --psnr says where to stop; all
    need one pass, up to 16 Mpixel with the compact model, and more for parts of larger pictures.
    But for --iterations the last iteration is sent for the blocks that need it most, so that a
    size is filled, and a quality hardly passed (which decoding the file proves).
    Any prefix of the file that holds one iteration decodes too: see `rnncodec truncate`.

    With --adaptive a file takes fewer bytes at equal PSNR (mse) or MS-SSIM (ssim), and needs a
    rnncodec that knows of it: two passes, or ten to find the threshold for a target.

    With --effort pictures get better, with --bpp most of all, or, with --ms-ssim and --psnr, files
    smaller. Only compressing takes longer, and any rnncodec decodes them. Together with --adaptive
    it searches for the bits that are sent; for --ms-ssim and --psnr that takes eight searches.

    Read is every format that Pillow decodes, and JPEG XL with `pip install 'rnncodec[jxl]'`.
    Kept: grey or RGB pixels, the ICC profile, the EXIF orientation (applied). Said in a warning
    and done: transparency is composited over white, more than 8 bits per channel are rounded,
    CMYK, LAB and the like are converted to RGB without colour management, colours that another
    way than an ICC profile describes (gAMA, cICP, ...) are taken for sRGB, further frames, EXIF,
    XMP, IPTC and text are dropped. Refused are files whose black and white nobody knows, as TIFFs
    of signed samples.

    Printed for each file: bytes before and after, bits per pixel of the .rnc file, the ratio. With
    --json these, and the quality reached, if one was asked for.
    """
    if [iterations, bpp, max_bytes, ms_ssim, psnr].count(None) < 4:
        raise ConfigError(
            "give at most one of --iterations, --bpp, --ms-ssim, --psnr and --max-bytes"
        )
    direction = Direction(
        RNC, lambda path: path.suffix.lower() == RNC, find_images, f"in {RNC}", keep_extension
    )
    jobs = plan(inputs, out, direction, force=force, skip_existing=skip_existing)
    to_stdout = any(job.target is None for job in jobs)
    import torch

    from rnncodec.codec import load
    from rnncodec.machine.devices import fast_arithmetic

    if threads is not None:
        torch.set_num_threads(threads)
    codec = load(model, device=device)
    qualities = {"ms_ssim": ms_ssim, "psnr": psnr}
    settings: dict[str, Any] = {"iterations": iterations, "bpp": bpp, **qualities}
    settings |= {"tile": tile, "adaptive": adaptive, "effort": effort, "effort_for": effort_for}
    # Pictures in a batch stop together, and share their warnings: only where there are neither.
    alike = all(target is None for target in (bpp, max_bytes, ms_ssim, psnr)) and effort == 0
    with (
        Reporter(len(jobs), "compressing", quiet_stdout=to_stdout, quiet=quiet) as reporter,
        pixel_limit(max_pixels),
    ):
        if effort:
            found = fast_arithmetic(device)
            reporter.note(f"the search computes in {found.name}: {found.reason}")
        ordered = by_size(jobs) if alike else jobs
        loaded = load_all(ordered, reporter, force=force)
        for batch in batches(loaded, BATCH_IMAGES if alike else 1):
            files: list[bytes] = []
            with reporter.working_on(*(item.job.name for item in batch), fatal=ConfigError):
                settings["progress"] = reporter.step
                files = code(codec, batch, settings, max_bytes=max_bytes, strict=strict)
            for item, data in zip(batch, files, strict=False):
                with reporter.working_on(item.job.name):
                    item.job.write(data)
                    line = in_words(item, data)
                    if as_json:
                        line = json.dumps(in_json(codec, item, data, qualities))
                    reporter.result(line)
            reporter.done(len(batch))
    raise typer.Exit(reporter.exit_code)


def by_size(jobs: list[Job]) -> list[Job]:
    """The jobs with pictures of one size next to each other, as far as headers tell."""
    sizes: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        size = (0, 0)
        if job.source is not None and len(jobs) > 1:
            with contextlib.suppress(DataError):  # reported when it is read
                size = read_size(job.source)
        sizes.setdefault(size, []).append(job)
    return [job for group in sizes.values() for job in group]


def load_all(jobs: list[Job], reporter: Reporter, *, force: bool) -> Iterator[Loaded]:
    """Read the pictures that can be read and written; report the others."""
    from rnncodec.coding.input_image import from_pillow

    for job in jobs:
        loaded: list[Loaded] = []
        with reporter.working_on(job.name, fatal=ConfigError):
            job.check_target(force=force)
            data = job.read()
            with open_image(io.BytesIO(data), name=job.name) as image:
                loaded.append(Loaded(job, from_pillow(image), len(data)))
        for item in loaded:
            for note in item.picture.notes:
                reporter.warn(job.name, note)
            yield item
        if not loaded:
            reporter.done()


def batches(loaded: Iterable[Loaded], most: int) -> Iterator[list[Loaded]]:
    """Neighbours of one size, at most ``most`` and not more pixels than memory should hold."""
    batch: list[Loaded] = []
    for item in loaded:
        height, width, _ = item.picture.pixels.shape
        fits = len(batch) < min(most, max(1, BATCH_PIXELS // (height * width)))
        if batch and not (fits and batch[0].picture.pixels.shape == item.picture.pixels.shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def code(
    codec: "Codec",
    batch: list[Loaded],
    settings: dict[str, Any],
    *,
    max_bytes: int | None,
    strict: bool,
) -> list[bytes]:
    """The files of pictures of one size; of one picture, where ``max_bytes`` is given.

    A target out of reach is a TargetWarning, with ``strict`` a DataError.
    """
    pictures = [dataclasses.replace(item.picture, notes=[]) for item in batch]
    if max_bytes is not None:
        height, width, _ = pictures[0].pixels.shape
        settings = settings | {"bpp": 8 * max_bytes / (height * width)}
    try:
        with warnings.catch_warnings():
            if max_bytes is not None:  # said in bytes, below
                warnings.simplefilter("ignore", TargetWarning)
            elif strict:
                warnings.simplefilter("error", TargetWarning)
            files: list[bytes] = codec.encode_all(pictures, **settings)
        if max_bytes is not None and len(files[0]) > max_bytes:
            unreached = TargetWarning(f"max_bytes={max_bytes}", f"{len(files[0])} bytes")
            if strict:
                raise unreached
            warnings.warn(unreached, stacklevel=1)
    except TargetWarning as found:
        raise DataError(
            f"{found.target} cannot be reached with this model and image, whose best is "
            f"{found.best}; without --strict that is written"
        ) from found
    return files


def in_words(item: Loaded, data: bytes) -> str:
    """Bytes before and after: of the files, which is what counts."""
    found = bitstream.info(data)
    shares = bitstream.sending_shares(data)
    in_part = ", adaptive" if found.header.adaptive else ""
    if in_part and set(shares[:-1]) == {1.0} and shares[-1] is not None:
        in_part = f", the last for {shares[-1]:.0%} of the blocks"
    return (
        f"{item.job.name} ({item.size:,} bytes) -> {item.job.target_name} ({len(data):,} bytes): "
        f"{found.bpp[-1]:.3f} bpp, {item.size / len(data):.1f}:1, "
        f"{found.iterations} iteration{'s' if found.iterations > 1 else ''}{in_part}"
    )


def in_json(
    codec: "Codec", item: Loaded, data: bytes, targets: dict[str, float | None]
) -> dict[str, Any]:
    """The same for machines, and the quality by the metrics that have a target.

    A file's name is None for standard input or output, a quality None where nothing is lost.
    """
    found, job = bitstream.info(data), item.job
    described = {
        "input": None if job.source is None else str(job.source),
        "output": None if job.target is None else str(job.target),
        "input_bytes": item.size,
        "bytes": len(data),
        "bpp": found.bpp[-1],
        "iterations": found.iterations,
        "adaptive": found.header.adaptive,
    }
    asked = {name: target for name, target in targets.items() if target is not None}
    if not asked:
        return described
    import numpy as np
    import torch

    from rnncodec.coding.quality_target import QualityTarget

    decoded = codec.decode(data, max_pixels=math.inf).convert("RGB")
    pair = [
        torch.from_numpy(np.array(pixels)).movedim(-1, 0)[None]
        for pixels in (item.picture.pixels, decoded)
    ]
    scores = {
        name: QualityTarget(name, value).score(*pair).item() for name, value in asked.items()
    }
    return described | {
        name: score if math.isfinite(score) else None for name, score in scores.items()
    }
