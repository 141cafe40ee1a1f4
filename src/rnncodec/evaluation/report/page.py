"""Puts report.html together: one file, nothing fetched, nothing run but its own script."""

import base64
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template as StringTemplate
from typing import Any, TypeAlias

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from rnncodec.evaluation.curves import FILES, RDCurve, with_decibels
from rnncodec.evaluation.metrics import DECIBEL, METRICS, decibels, described
from rnncodec.evaluation.plots import COLOURS, DASHES, MARKERS, MAX_BPP
from rnncodec.evaluation.rd_points import metrics_of
from rnncodec.evaluation.report.viewer import ViewerImage
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import Summary
from rnncodec.evaluation.tables import (
    area_columns,
    conventions,
    count,
    delta_columns,
    rate_columns,
)
from rnncodec.machine.storage import write_text
from rnncodec.version import __version__

SCRIPTS = ["page.js", "summary.js", "scales.js", "chart.js", "pixels.js", "viewer.js"]
"""In the order in which they stand in the page."""

ASSETS = ["page.html", "tables.html", "page.css", *SCRIPTS]

DARK_COLOURS = {"#0072B2": "#4a9fd4", "#000000": "#d5d9dd", "#009E73": "#1db58a"}
"""What replaces the plots' colours on a dark ground, where they would be hard to see."""

START_BPP = 0.5
"""The viewer opens at the iteration whose rate is nearest to this."""


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes:
        intro: a sentence or two under the title: which codecs, which images.
        published: curves of others, drawn dashed.
        viewer_note: how the images were chosen, and in what form they are embedded; or why there
            are none.
        facts: what it was made with, for the foot of the page: name -> value.
        origin: a digest of all it depends on, by which it is known again.
    """

    title: str
    intro: str
    results: Sequence[Result]
    summary: Summary
    published: Sequence[RDCurve] = ()
    images: Sequence[ViewerImage] = ()
    viewer_note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    origin: str = ""


def write_report(path: Path, report: Report) -> None:
    """Write the page, atomically; StorageError if it could not be written."""
    write_text(path, page(report))


def page(report: Report) -> str:
    """The whole page as text."""
    light = "".join(f"--c{k}: {colour}; " for k, colour in enumerate(COLOURS))
    dark = "".join(f"--c{k}: {DARK_COLOURS.get(c, c)}; " for k, c in enumerate(COLOURS))
    style = StringTemplate(asset("page.css")).substitute(light_colours=light, dark_colours=dark)
    for k in range(len(COLOURS)):
        style += f".swatch.c{k} {{ background: var(--c{k}); }}\n"
    scope = "\n".join(asset(name) for name in SCRIPTS)
    script = f'"use strict";\n{{\n{scope}}}\n'  # all as one, strict and in a scope of its own
    hashes = [hashlib.sha256(text.encode()).digest() for text in (style, script)]
    style_hash, script_hash = (base64.b64encode(each).decode() for each in hashes)
    policy = (  # this style, this script, embedded pictures, nothing else
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )
    data = {"curves-data": plot_data(report.results, report.summary, report.published)}
    if report.images:
        data["viewer-data"] = viewer_index(report.images)
    data |= {f"image-{k}": image_data(image) for k, image in enumerate(report.images)}
    return template("page.html").render(
        policy=Markup(policy),
        version=__version__,
        origin=report.origin,
        title=report.title,
        intro=report.intro,
        style=Markup(style),
        script=Markup(script),
        summary=summary_html(report.summary),
        failures=failures_html(report.summary),
        viewer=bool(report.images),
        viewer_note=report.viewer_note,
        data={name: block(content) for name, content in data.items()},
        facts=report.facts,
    )


def viewer_index(images: Sequence[ViewerImage]) -> dict[str, Any]:
    """What the viewer must know before it opens an image; each is a block read when shown."""
    sides = images[0].sides
    reference, *others = sides
    pictures = sides[reference]
    nearest = min(range(len(pictures)), key=lambda k: abs(pictures[k].bpp - START_BPP))
    return {
        "reference": reference,
        "beside": others[0] if others else "original",
        "images": [image.image for image in images],
        "iterations": len(pictures),
        "start": nearest + 1,
    }


def image_data(image: ViewerImage) -> dict[str, Any]:
    """One image of the viewer as plain types; JSON has no infinite decibels of perfect ones."""
    sides: dict[str, list[dict[str, Any]]] = {}
    for name, side in image.sides.items():
        sides[name] = [vars(picture).copy() for picture in side]
        for facts in sides[name]:
            facts["data"] = base64.b64encode(facts["data"]).decode()
            facts["psnr_rgb"] = None if facts["psnr_rgb"] == math.inf else facts["psnr_rgb"]
    return {
        "image": image.image,
        "width": image.width,
        "height": image.height,
        "media_type": "image/webp",
        "data": base64.b64encode(image.original).decode(),
        "sides": sides,
    }


def block(content: dict[str, Any]) -> Markup:
    """Data in a page: JSON in which nothing can end its element or begin another."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def summary_html(summary: Summary) -> Markup:
    """The section of figures: two tables whose heads sort them, and what figures mean."""
    notes = (*conventions(summary), *summary.absent)  # failures have a table of their own
    deltas = delta_columns(summary) if summary.anchor is not None else []
    areas = [*area_columns(summary), *deltas]
    rates = rate_columns(summary)
    return Markup(macros().summary_section(summary, areas, rates, count(summary), notes))


def failures_html(summary: Summary) -> Markup:
    """What is missing from the averages, with its reason; nothing where nothing is."""
    return Markup(macros().failures_section(summary.failures))


def macros() -> Any:
    """The macros of the template of tables; they give markup."""
    return template("tables.html").module


@functools.cache
def template(name: str) -> Template:
    """A template of the page; all that it is given is escaped, unless it is markup."""
    environment = Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["written"] = written
    environment.globals |= {"files": FILES, "colours": len(COLOURS)}
    return environment.get_template(name)


def asset(name: str) -> str:
    """A file of this package's ``assets`` folder."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def written(value: float, form: str) -> str:
    """A figure with its digits and a true minus sign."""
    return format(value, form).replace("-", "−")


FIRST = ("ms_ssim", DECIBEL, "psnr_rgb", "psnr_hvs", "psnr_hvs_m", "ssim")
"""The order of the page; other metrics come after these."""

Sample: TypeAlias = tuple[float, float, str]
"""bpp, value, and what was asked of the codec there."""


MEAN_NOTE = (
    "Each point is the mean over the images that every codec has, of rate and of quality, at "
    "equal iteration (ours) or equal setting (the others); a setting that an image lacks, or that "
    "another one beats in bytes and quality, is left out. MS-SSIM in dB is −10 log10(1 − x) of "
    "the mean."
)


def metric_styles(metrics: Iterable[str]) -> list[dict[str, Any]]:
    """How to write these metrics: first those of :data:`FIRST`, then registered ones.

    ``near_one``: whether one crowds just below 1, where an axis of -10 log10(1 - x) helps.
    """
    wanted = list(metrics)
    order = [name for name in dict.fromkeys([*FIRST, *METRICS, *wanted]) if name in wanted]
    return [
        {
            "key": name,
            "title": (metric := described(name)).heading,
            "unit": f" {metric.unit}" if metric.unit else "",
            "digits": metric.digits,
            "near_one": metric.near_one,
        }
        for name in order
    ]


def value(result: Result, metric: str) -> float | None:
    """A metric of one row; None where the row does not have it, infinite decibels of 1."""
    if metric != DECIBEL:
        return result.values.get(metric)
    found = result.values.get("ms_ssim")
    return None if found is None else float(decibels(found))


def plot_data(
    results: Sequence[Result], summary: Summary, published: Sequence[RDCurve] = ()
) -> dict[str, Any]:
    """What the script of the page draws from, as plain types."""
    return {
        "metrics": metric_styles(metrics_of(results)),
        "images": sorted({row.image for row in results if row.bpp is not None}),
        "max_bpp": MAX_BPP,  # right end of the rate axis
        "mean_note": MEAN_NOTE,
        "series": all_series(results, summary, published),
    }


def all_series(
    results: Sequence[Result], summary: Summary, published: Sequence[RDCurve] = ()
) -> list[dict[str, Any]]:
    """Every line of the plot: its curves and looks, as plain types.

    Of each: name (no two are equal), label (in the legend, under its kind's heading), kind, mean
    (metric -> samples by rising bpp), images (image -> the same), shown (whether it is drawn at
    the start; of published ones the first alone: all would hide the rest), colour (index into
    the palette, or None), marker (as matplotlib's; or ""), dash (as in SVG; "" for solid).
    """
    by_codec: dict[str, dict[str, list[Result]]] = {}
    for row in results:
        by_codec.setdefault(row.codec, {}).setdefault(row.image, []).append(row)
    places = list(by_codec)
    lines: list[dict[str, Any]] = []
    for entry in summary.codecs:
        place, nominal = places.index(entry.codec), entry.rates != FILES
        lines.append(
            {
                "name": entry.name,
                "label": entry.codec,
                "kind": "nominal" if nominal else "ours" if entry.ours else "baseline",
                "mean": {metric: curve.labelled for metric, curve in entry.curves.items()},
                "images": {
                    image: {m: samples(own, m, nominal) for m in entry.curves}
                    for image, own in by_codec[entry.codec].items()
                },
                "shown": True,
                "colour": place % len(COLOURS),
                "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
                "dash": "1 3" if nominal else "",
            }
        )
    others: dict[str, dict[str, list[Sample]]] = {}
    for curve in with_decibels(published):
        others.setdefault(curve.codec, {})[curve.metric] = curve.labelled
    for k, (codec, mean) in enumerate(others.items()):
        dash = " ".join(f"{length * 1.4:g}" for length in DASHES[k % len(DASHES)])
        names = {"name": f"{codec} (published)", "label": codec, "kind": "published"}
        looks = {"shown": k == 0, "colour": None, "marker": "", "dash": dash}
        lines.append(names | {"mean": mean, "images": {}} | looks)
    return lines


def samples(rows: Sequence[Result], metric: str, at_nominal: bool = False) -> list[Sample]:
    """One image's curve; rows without the metric, and perfect pictures, are left out."""
    found = []
    for row in rows:
        quality = value(row, metric)
        if row.bpp is None or quality is None or not math.isfinite(quality):
            continue
        if row.iteration is None:
            found.append((row.bpp, quality, row.setting))
        else:
            bpp = row.iteration / 8 if at_nominal else row.bpp
            found.append((bpp, quality, f"iteration {row.iteration}"))
    return sorted(found)
