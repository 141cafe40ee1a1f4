"""`rnncodec info`: what a .rnc file or a model file says about itself."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from rnncodec import bitstream, models, plugins
from rnncodec.bitstream.header import MAGIC
from rnncodec.commands import options
from rnncodec.commands.files import RNC, STREAM, Job, Reporter
from rnncodec.errors import ModelError
from rnncodec.models.model_description import (
    SCORE_METRICS,
    part_name,
    read_description,
    score_metric,
)


def info(
    items: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|MODEL",
            help=".rnc files, model files or names of models; - for standard input.",
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Describe .rnc files and models.

    Of an iteration are shown its bytes, and the size (end) and rate of the file cut after it. No
    codes are decoded, so damaged ones are not found: see `rnncodec verify`. Of an adaptive file
    the masks are: which share of the positions sends bits in each iteration.
    """
    with Reporter(len(items), "reading") as reporter:
        for item in items:
            with reporter.working_on(item):
                found = describe(item)
                typer.echo(json.dumps(found) if as_json else in_words(found))
    raise typer.Exit(reporter.exit_code)


def describe(item: str) -> dict[str, Any]:
    """A .rnc file, a model file or a model's name, as plain data."""
    job = Job(None if item == STREAM else Path(item), None)
    is_rnc = job.source is None or job.source.suffix.lower() == RNC
    if not is_rnc and Path(item).is_file():
        with suppress(OSError), Path(item).open("rb") as file:
            is_rnc = file.read(len(MAGIC)) == MAGIC
    if is_rnc:
        return describe_file(job.name, job.read())
    path = models.path_of(item)
    try:
        return describe_model(path)
    except ModelError as error:
        if path.suffix == models.SUFFIX:
            raise
        raise ModelError(f"{path}: neither a .rnc file nor a model file") from error


def describe_file(name: str, data: bytes) -> dict[str, Any]:
    """A .rnc file as plain data; one entry per iteration present in `iterations`.

    `end` is the size of the file cut after an iteration, `bpp` the rate of that file.
    """
    found = bitstream.info(data)
    header, shares = found.header, bitstream.sending_shares(data)
    header_bytes, *ends = found.ends
    rows = zip(found.segment_bytes, ends, found.bpp, found.modes, shares, strict=True)
    return {
        "file": name,
        "kind": "rnc",
        "bytes": found.file_bytes,
        "width": header.width,
        "height": header.height,
        "colour": header.colour.name.lower(),
        "bpp": 8 * found.file_bytes / (header.width * header.height),
        "tile": header.tile,
        "adaptive": header.adaptive,
        "icc_profile_bytes": len(header.icc_profile),
        "fingerprint": header.fingerprint.hex(),
        "model": models.name_of(header.fingerprint),
        "written_with": header.iterations,
        "cut_inside_an_iteration": found.truncated,
        "header_bytes": header_bytes,
        "iterations": [
            {"bytes": n, "end": end, "bpp": bpp, "coding": mode.name.lower(), "sending": share}
            for n, end, bpp, mode, share in rows
        ],
    }


def describe_model(path: Path) -> dict[str, Any]:
    """A model file as plain data; raises ModelError if it is none, or damaged."""
    description = read_description(path)
    network, notes = description["network"], description["notes"]
    return {
        "file": str(path),
        "kind": "model",
        "name": path.stem,
        "packaged": path in models.packaged().values(),
        "bytes": path.stat().st_size,
        "fingerprint": models.fingerprint_of(path).hex(),
        "iterations": network.get("iterations"),
        "cell": part_name(network.get("cell")),
        "recon": part_name(network.get("recon")),
        "width": network.get("width"),
        "entropy": part_name(description["entropy"]),
        "score": notes.get("score"),
        "score_metric": score_metric(notes),
        "steps": notes.get("step"),
        "plugins": description["plugins"],
    }


def in_words(found: dict[str, Any]) -> str:
    """The same for people."""
    is_file = found["kind"] == "rnc"
    rows = file_rows(found) if is_file else model_rows(found)
    lines = [found["file"], *(f"  {label:<12} {value}" for label, value in rows.items())]
    if is_file:
        size = found["header_bytes"]
        lines.append("  iteration       bytes         end     bpp  sending  coding")
        lines.append(f"  {'header':>9} {size:>11,} {size:>11,}")
        for k, row in enumerate(found["iterations"], start=1):
            share = "" if row["sending"] is None else f"{row['sending']:.1%}"
            lines.append(
                f"  {k:>9} {row['bytes']:>11,} {row['end']:>11,} {row['bpp']:>7.3f} {share:>8}"
                f"  {row['coding'].replace('_', ' ')}"
            )
    return "\n".join(lines)


def file_rows(found: dict[str, Any]) -> dict[str, str]:
    """What is said about a .rnc file above its iterations."""
    present, written = len(found["iterations"]), found["written_with"]
    cut = ", cut inside the next one" if found["cut_inside_an_iteration"] else ""
    known = f" ({found['model']})" if found["model"] else " (not among the models here)"
    profile = found["icc_profile_bytes"]
    return {
        "picture": f"{found['width']}x{found['height']}, {found['colour']}",
        "size": f"{found['bytes']:,} bytes, {found['bpp']:.3f} bpp",
        "model": f"{found['fingerprint']}{known}",
        "tiles": f"{found['tile']} pixels" if found["tile"] else "none, one piece",
        "adaptive": "yes, positions end" if found["adaptive"] else "no, every position sends",
        "ICC profile": f"{profile:,} bytes" if profile else "none",
        "iterations": f"{present} of the {written} it was written with{cut}",
    }


def model_rows(found: dict[str, Any]) -> dict[str, str]:
    """What is said about a model."""
    score = found["score"]
    known = isinstance(score, (int, float))  # a file from elsewhere may say anything
    outside = [f"{each['class']} ({plugins.installed(each)})" for each in found["plugins"]]
    return {
        "name": f"{found['name']}{' (packaged)' if found['packaged'] else ''}",
        "size": f"{found['bytes']:,} bytes",
        "fingerprint": found["fingerprint"],
        "iterations": str(found["iterations"]),
        "cell": f"{found['cell']}, width {found['width']}",
        "recon": str(found["recon"]),
        "entropy": found["entropy"] or "none: bits are stored as they are",
        "score": f"{score:.4f}, after {found['steps']} steps" if known else "unknown",
        "score of": SCORE_METRICS.get(found["score_metric"], "unknown metric"),
    } | ({"plug-ins": ", ".join(outside)} if outside else {})
