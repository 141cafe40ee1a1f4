"""`rnncodec curves`: rate-distortion curves, others' and one's own, for other people's tools."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnncodec.commands import options
from rnncodec.errors import ConfigError

if TYPE_CHECKING:
    from rnncodec.evaluation.curves import RDCurve

COMPRESSAI = {"psnr_rgb": "psnr", "ms_ssim": "ms-ssim"}
"""What CompressAI's plot tools call a metric; others keep their names."""


def curves(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="NAME|CSV",
            help="A packaged set (kodak, kodak-more), a file of codec,metric,bpp,value, or the "
            "results.csv of an evaluation.",
        ),
    ] = Path("kodak"),
    codec: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this codec alone, as it is listed.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write them: .csv of codec,metric,bpp,value, or .json of one codec, as "
            "CompressAI's plot tools read it.",
        ),
    ] = None,
    force: options.Force = False,
) -> None:
    """List published curves on Kodak and where they are from; or write curves to a file.

    - `rnncodec curves`
    - `rnncodec curves kodak --out kodak.csv`
    - `rnncodec curves outputs/kodak/results.csv --codec compact-7 --out compact-7.json`

    Each point is a mean over images. Which curves were left out, and why: docs/guides/evaluate.md.
    """
    from rnncodec.machine.storage import write_bytes

    found = curves_of(source)
    names = list(dict.fromkeys(curve.codec for curve in found))
    if codec is not None:
        found = [curve for curve in found if curve.codec == codec]
        if not found:
            raise ConfigError(f"{source}: no codec {codec!r}; it has {', '.join(names)}")
        names = [codec]
    if out is None:
        for line in described(names, found):
            typer.echo(line)
        return
    if out.exists() and not force:
        raise ConfigError(f"{out}: exists; give --force to replace it")
    if out.suffix == ".csv":
        text = as_csv(found)
    elif out.suffix != ".json":
        raise ConfigError(f"{out}: expected a name that ends in .csv or .json")
    elif len(names) > 1:
        raise ConfigError(f"{out}: a .json holds one codec; name it: --codec NAME")
    else:
        text = json.dumps(as_compressai(names[0], found), indent=2)
    write_bytes(out, text.encode())


def curves_of(source: Path) -> "list[RDCurve]":
    """Those of a packaged set, a file of points, or an evaluation's results.csv."""
    from rnncodec.evaluation.curves import FILES, POINT_COLUMNS, published_file, read_published
    from rnncodec.evaluation.metrics import METRICS
    from rnncodec.evaluation.results import read_results
    from rnncodec.evaluation.summary import summarize

    with published_file(source).open("rb") as file:
        points = file.readline().decode("utf-8", "replace").strip() == POINT_COLUMNS
    if points or source.name != "results.csv":
        return read_published(source)
    measured = summarize(read_results(source)).curves
    return [
        curve
        for curve in measured
        if curve.rates == FILES and curve.samples and curve.metric in METRICS
    ]


def described(names: list[str], found: "list[RDCurve]") -> Iterator[str]:
    """Lines: each codec, its metrics and rates, and where its points are from."""
    from rnncodec.evaluation.curves import PACKAGED

    sources = json.loads((PACKAGED / "sources.json").read_text("utf-8"))
    for name in names:
        yield name
        for curve in (each for each in found if each.codec == name):
            rates = [bpp for bpp, _ in curve.samples]  # they rise
            span = f"{rates[0]:.3f} to {rates[-1]:.3f} bpp"
            yield f"  {curve.metric}: {len(rates)} points, {span}"
        if name in sources:
            yield f"  {'; '.join(sources[name].values())}"


def as_csv(found: "list[RDCurve]") -> str:
    """Rows of codec,metric,bpp,value."""
    from rnncodec.evaluation.curves import POINT_COLUMNS

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(POINT_COLUMNS.split(","))
    for curve in found:
        writer.writerows((curve.codec, curve.metric, *point) for point in curve.samples)
    return text.getvalue()


def as_compressai(name: str, found: "list[RDCurve]") -> dict[str, Any]:
    """The curves of one codec as `{"name", "description", "results": {"bpp", metric, ...}}`.

    Raises:
        ConfigError: its metrics were given at different rates; that form has one list of them.
    """
    rates = [tuple(bpp for bpp, _ in curve.samples) for curve in found]
    if len(set(rates)) > 1:
        metrics = ", ".join(curve.metric for curve in found)
        raise ConfigError(
            f"{name}: {metrics} have different rates, which CompressAI's form cannot hold; "
            "write a .csv"
        )
    values = {
        COMPRESSAI.get(curve.metric, curve.metric): [value for _, value in curve.samples]
        for curve in found
    }
    return {
        "name": name,
        "description": "means over images",
        "results": {"bpp": rates[0], **values},
    }
