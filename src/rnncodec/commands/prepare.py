"""`rnncodec prepare`: photographs to sharded training tiles."""

import os
from pathlib import Path
from typing import Annotated

import typer

from rnncodec.prepare.settings import Flaw, Mode, Settings, flaws, pair

DEFAULT = Settings()


def prepare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="A folder of pictures and *.tar archives (recursive), an archive, a list (.txt, "
            ".parquet), or hf:NAME[@SPLIT] for a Hugging Face data set.",
        ),
    ],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder for the tiles.")],
    mode: Annotated[
        Mode,
        typer.Option(
            help="Tiles of an image: those PNG compresses worst, the whole image shrunk to one "
            "tile, random ones, or all."
        ),
    ] = DEFAULT.mode,
    tile: Annotated[int, typer.Option(help="Side of a tile in pixels.")] = DEFAULT.tile,
    keep: Annotated[
        int, typer.Option(help="Tiles of an image at most (high-entropy, random).")
    ] = DEFAULT.keep,
    resize: Annotated[
        str,
        typer.Option(metavar="WxH", help="Images are shrunk to fit, lying or standing."),
    ] = "1280x720",
    refuse: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="LIST",
            help=f"Refuse images with these flaws: {','.join(Flaw)}, or none. All are counted.",
        ),
    ] = ",".join(DEFAULT.refuse),
    min_side: Annotated[
        int, typer.Option(help="Images with a shorter side are small.")
    ] = DEFAULT.min_side,
    exclude: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Refuse near-duplicates of these (evaluation) pictures."),
    ] = None,
    val_fraction: Annotated[
        float, typer.Option(help="Share of the images held out, by a hash of the name.")
    ] = DEFAULT.val_fraction,
    photographs: Annotated[
        int, typer.Option(help="Held-out images, and others, kept in one piece.")
    ] = DEFAULT.photographs,
    shard_tiles: Annotated[int, typer.Option(help="Tiles of a shard.")] = DEFAULT.shard_tiles,
    shard: Annotated[
        str,
        typer.Option(metavar="i/n", help="Do every n-th image only, i from 0 (a Slurm array)."),
    ] = "0/1",
    workers: Annotated[
        int, typer.Option(help="Processes; 0: none but this. The result is the same.")
    ] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(help="Of mode random.")] = DEFAULT.seed,
    stats: Annotated[
        bool, typer.Option("--stats", help="Also write DST/stats.html, about the tiles.")
    ] = False,
) -> None:
    """Cut photographs to training tiles, in shards that data=tiles streams.

    Repeating the command goes on where it stopped, after Ctrl-C or kill -9; the result is the
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
    manifest = run(source, destination, settings, (workers, exclude))
    typer.echo(manifest)
    if stats:
        from rnncodec.prepare.page import write_page

        typer.echo(write_page(manifest.parent))


def run(source: str, destination: Path, settings: Settings, how: tuple[int, Path | None]) -> Path:
    """Prepare, showing progress; the manifest.

    Raises:
        RNNCodecError: as `prepare.run.prepare`.
    """
    from rnncodec.errors import ConfigError
    from rnncodec.prepare.run import prepare as run_all
    from rnncodec.prepare.show import Show
    from rnncodec.prepare.sources import find_source

    workers, exclude = how
    if workers < 0:
        raise ConfigError(f"--workers {workers}: expected at least 0")
    with Show() as show:
        return run_all(
            find_source(source),
            destination,
            settings,
            workers=workers,
            exclude=exclude,
            report=show.update,
        )
