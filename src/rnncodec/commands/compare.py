"""`rnncodec compare`: runs or whole sweeps side by side, and what explains their differences."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from rnncodec.commands import options
from rnncodec.errors import ConfigError, StorageError


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Run or sweep folders, searched recursively."),
    ],
    out: options.Out = None,
    published: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Published curves (codec,metric,bpp,value) to draw."),
    ] = None,
    force: options.Force = False,
) -> None:
    """Rank trained runs, and say which setting explains the differences.

    Works while a sweep is going on: runs that are not finished are listed with what they lack.
    With --out, also writes comparison.json, table.md, table.tex, rd.pdf and rd.png.
    """
    if importlib.util.find_spec("bjontegaard") is None:
        raise ConfigError("compare needs more packages: pip install 'rnncodec[train]'")
    from rnncodec.comparison.compare import compare as put_side_by_side
    from rnncodec.comparison.runs import find_runs
    from rnncodec.comparison.tables import (
        FILES_WRITTEN,
        comparison_tables,
        write_comparison,
    )
    from rnncodec.evaluation.curves import read_published
    from rnncodec.evaluation.tables import plain

    if published is not None and out is None:
        raise ConfigError("--published is drawn in the plot: give --out DIR, too")
    if out is not None:
        refuse_existing(out, FILES_WRITTEN, force=force)
    curves = read_published(published) if published is not None else []
    comparison = put_side_by_side(*find_runs(folders))
    for table in comparison_tables(comparison):
        typer.echo(f"{plain(table)}\n")
    if out is not None:
        for path in write_comparison(out, comparison, published=curves):
            typer.echo(path)


def refuse_existing(out: Path, names: tuple[str, ...], *, force: bool) -> None:
    """Refuse, before any work, to replace files.

    Raises:
        StorageError: one exists, and ``force`` is not given.
    """
    there = [name for name in names if (out / name).exists()]
    if there and not force:
        raise StorageError(f"{out}: has {', '.join(there)}; --force replaces them")
