"""`rnncodec prepare`: photographs to sharded training tiles."""

from pathlib import Path
from typing import Annotated

import typer

from rnncodec.errors import ConfigError
from rnncodec.prepare.settings import MAX_BAD, Flaw, Mode, Settings, flaws, pair

DEFAULT = Settings()
REFUSED = ",".join(DEFAULT.refuse)
SOURCE = (
    "A folder of pictures and *.tar archives (recursive), an archive, a list (.txt, .parquet), "
    "or hf:NAME[@SPLIT] for a Hugging Face data set."
)
MODE = (
    "Tiles of an image: those PNG compresses worst, the whole image shrunk to one tile, random "
    "ones, or all."
)
FILTER = f"Refuse images with these flaws: {','.join(Flaw)}, or none. All are counted."

Source = Annotated[str, typer.Argument(metavar="SRC", help=SOURCE)]
Destination = Annotated[Path, typer.Argument(metavar="DST", help="Folder for the tiles.")]
Which = Annotated[Mode, typer.Option(help=MODE)]
Tile = Annotated[int, typer.Option(help="Side of a tile in pixels.")]
Most = Annotated[int, typer.Option(help="Tiles of an image at most (high-entropy, random).")]
Resize = Annotated[
    str, typer.Option(metavar="WxH", help="Images are shrunk to fit, lying or standing.")
]
Filter = Annotated[str, typer.Option("--filter", metavar="LIST", help=FILTER)]
MinSide = Annotated[int, typer.Option(help="Images with a shorter side are small.")]
Exclude = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Refuse near-duplicates of these (evaluation) pictures."),
]
ValFraction = Annotated[
    float, typer.Option(help="Share of the images held out, by a hash of the name.")
]
Photographs = Annotated[int, typer.Option(help="Held-out images, and others, stored whole.")]
ShardTiles = Annotated[int, typer.Option(help="Tiles of a shard.")]
Part = Annotated[
    str, typer.Option(metavar="i/n", help="Do every n-th image only, i from 0 (a Slurm array).")
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes (0: none but this); default: one a processor that this job may use. All "
        "give the same."
    ),
]
Seed = Annotated[int, typer.Option(help="Of mode random.")]
Note = Annotated[
    str, typer.Option(metavar="TEXT", help="For the manifest: origin, licence of the pictures.")
]
MaxBad = Annotated[
    float, typer.Option(help="Stop if a larger share of the images (and over 99) is damaged.")
]
Stats = Annotated[bool, typer.Option("--stats", help="Also write stats.html, about the tiles.")]


def prepare(
    source: Source,
    destination: Destination,
    mode: Which = DEFAULT.mode,
    tile: Tile = DEFAULT.tile,
    keep: Most = DEFAULT.keep,
    resize: Resize = "1280x720",
    refuse: Filter = REFUSED,
    min_side: MinSide = DEFAULT.min_side,
    exclude: Exclude = None,
    val_fraction: ValFraction = DEFAULT.val_fraction,
    photographs: Photographs = DEFAULT.photographs,
    shard_tiles: ShardTiles = DEFAULT.shard_tiles,
    shard: Part = "0/1",
    workers: Workers = None,
    seed: Seed = DEFAULT.seed,
    note: Note = "",
    max_bad: MaxBad = MAX_BAD,
    stats: Stats = False,
) -> None:
    """Cut photographs to training tiles, in shards that data=tiles reads.

    Repeating the command resumes where it stopped, after Ctrl-C or kill -9; the result is the
    same byte for byte.
    """
    settings = Settings(
        mode=mode,
        tile=tile,
        keep=keep,
        resize=pair(resize, "--resize", "x"),
        min_side=min_side,
        refuse=flaws(refuse),
        val_fraction=val_fraction,
        part=pair(shard, "--shard", "/"),
        shard_tiles=shard_tiles,
        photographs=photographs,
        seed=seed,
    )
    from rnncodec.prepare.pipeline import prepare as run
    from rnncodec.prepare.progress import ProgressBar
    from rnncodec.prepare.sources import find_source

    if workers is not None and workers < 0:
        raise ConfigError(f"--workers {workers}: expected at least 0")
    with ProgressBar() as bar:
        manifest = run(
            find_source(source),
            destination,
            settings,
            workers=workers,
            exclude=exclude,
            note=note,
            max_bad=max_bad,
            on_progress=bar.update,
        )
    typer.echo(manifest)
    if stats:
        from rnncodec.prepare.stats_page import write_page

        typer.echo(write_page(manifest.parent))
