"""Arguments that several commands share, with their help texts."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="PATH|NAME",
        help="A model file, or a name that `rnncodec models` lists.",
    ),
]
FoundModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="PATH|NAME",
        help="A model file or name; default: the model each file names by its fingerprint, "
        "packaged or in RNNCODEC_MODELS.",
    ),
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="Where the network runs: cpu, cuda, cuda:1, ...")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", help="Folder for the outputs; it is created if missing."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Of PyTorch on the CPU; default: as many as cores."),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Pass over inputs whose output exists: to repeat what was broken off.",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Refuse larger pictures; default: Pillow's limit, about 89 million.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print warnings and errors only, and no progress.")
]
Json = Annotated[
    bool, typer.Option("--json", help="For machines: one JSON object per line and item.")
]
EFFORT_FOR_FORM = "ms_ssim|psnr_hvs|psnr|balanced"
"""What a search for bits is for; see `rnncodec.images.distortion.SEARCH_LOSSES`."""
ADAPTIVE_FORM = "ssim|mse[=THRESHOLD]"
"""How a rule is written; see `rnncodec.coding.adaptive.StopRule`."""
