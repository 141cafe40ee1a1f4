"""Puts report.html together: one file, nothing fetched, nothing run but its own script."""

import base64
import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template as StringTemplate
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from rnncodec.evaluation.curves import FILES, RDCurve
from rnncodec.evaluation.plots import COLOURS
from rnncodec.evaluation.report import curves
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
        title: its headline.
        intro: a sentence or two under it: which codecs, which images.
        results: every row of results.csv.
        summary: what follows from them.
        published: curves of others, drawn dashed.
        images: those of the viewer; none leaves it out.
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
    style = page_style()
    scope = "\n".join(asset(name) for name in SCRIPTS)
    script = f'"use strict";\n{{\n{scope}}}\n'  # all as one, strict and in a scope of its own
    policy = (  # this style, this script, embedded pictures, nothing else
        f"default-src 'none'; img-src data:; style-src '{digest(style)}'; "
        f"script-src '{digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    data = {"curves-data": curves.plot_data(report.results, report.summary, report.published)}
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
    sides: dict[str, list[dict[str, Any]]] = {name: [] for name in image.sides}
    for name, side in image.sides.items():
        for picture in side:
            psnr = None if picture.psnr_rgb == math.inf else picture.psnr_rgb
            data = base64.b64encode(picture.data).decode()
            sides[name].append(vars(picture) | {"data": data, "psnr_rgb": psnr})
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


def page_style() -> str:
    """The style sheet, in the colours of the plots."""
    light = "".join(f"--c{k}: {colour}; " for k, colour in enumerate(COLOURS))
    dark = "".join(f"--c{k}: {DARK_COLOURS.get(c, c)}; " for k, c in enumerate(COLOURS))
    swatches = "".join(
        f".swatch.c{k} {{ background: var(--c{k}); }}\n" for k in range(len(COLOURS))
    )
    style = StringTemplate(asset("page.css"))
    return style.substitute(light_colours=light, dark_colours=dark) + swatches


def digest(text: str) -> str:
    """How a content security policy names an inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def summary_html(summary: Summary) -> str:
    """The section of figures: two tables whose heads sort them, and what figures mean."""
    notes = (*conventions(), *summary.absent)  # failures have a table of their own
    deltas = delta_columns(summary) if summary.anchor is not None else []
    areas = [*area_columns(summary), *deltas]
    rates = rate_columns(summary)
    return section("summary_section", summary, areas, rates, count(summary), notes)


def failures_html(summary: Summary) -> str:
    """What is missing from the averages, with its reason; nothing where nothing is."""
    return section("failures_section", summary.failures)


def section(macro: str, *arguments: object) -> str:
    """What a macro of the template makes of its arguments, as markup."""
    found: str = getattr(template("tables.html").module, macro)(*arguments)
    return found


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
    """A figure with its digits and a true minus sign.

    Examples:
        >>> written(-12.34, "+.1f"), written(12.34, "+.1f")
        ('−12.3', '+12.3')
    """
    return format(value, form).replace("-", "−")
