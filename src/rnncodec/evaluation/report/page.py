"""Puts report.html together: one file, nothing fetched, nothing run but its own script."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from markupsafe import Markup

from rnncodec.evaluation import plots
from rnncodec.evaluation.report import curves
from rnncodec.evaluation.report.tables import asset, failures_html, merits_html, template
from rnncodec.evaluation.report.viewer import Exhibit, Shot
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import Merits
from rnncodec.machine.storage import write_text
from rnncodec.version import __version__

SCRIPTS = ["page.js", "merits.js", "scales.js", "chart.js", "pixels.js", "viewer.js"]
"""In the order in which they stand in the page."""

ASSETS = ["page.html", "tables.html", "page.css", *SCRIPTS]

DARK_COLOURS = {"#0072B2": "#4a9fd4", "#000000": "#d5d9dd", "#009E73": "#1db58a"}
"""What replaces the plots' colours on a dark ground, where they would be hard to see."""

START_BPP = 0.5
"""The viewer opens at the iteration whose rate is nearest to this."""


@dataclass(frozen=True)
class Report:
    """What the page tells.

    Attributes:
        title: its headline.
        lead: a sentence or two under it: which codecs, which images.
        results: every row of results.csv.
        merits: what follows from them.
        published: curves of others, drawn dashed.
        exhibits: the images of the viewer; none leaves it out.
        viewer_note: how the images were chosen, and in what form they are embedded; or why there
            are none.
        facts: what it was made with, for the foot of the page: name -> value.
        origin: a digest of all it depends on, by which it is known again.
    """

    title: str
    lead: str
    results: Sequence[Result]
    merits: Merits
    published: plots.Curves = field(default_factory=dict)
    exhibits: Sequence[Exhibit] = ()
    viewer_note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    origin: str = ""


def write_report(path: Path, report: Report) -> None:
    """Write the page, atomically.

    Raises:
        StorageError: it could not be written.
    """
    write_text(path, page(report))


def page(report: Report) -> str:
    """The whole page as text."""
    style, script = page_style(), page_script()
    return template("page.html").render(
        policy=Markup(policy(style, script)),
        version=__version__,
        origin=report.origin,
        title=report.title,
        lead=report.lead,
        style=Markup(style),
        script=Markup(script),
        merits=merits_html(report.merits),
        failures=failures_html(report.merits),
        viewer=bool(report.exhibits),
        viewer_note=report.viewer_note,
        data=data_blocks(report),
        facts=report.facts,
    )


def data_blocks(report: Report) -> dict[str, Markup]:
    """The numbers and pictures, each image in a block of its own that is read when it is shown."""
    found = {"curves-data": block(curves.plot_data(report.results, report.published))}
    if report.exhibits:
        found["viewer-data"] = block(viewer_index(report))
        for k, exhibit in enumerate(report.exhibits):
            found[f"exhibit-{k}"] = block(exhibit_data(exhibit))
    return found


def viewer_index(report: Report) -> dict[str, Any]:
    """What the viewer must know before it opens an image."""
    first = report.exhibits[0]
    reference = next(iter(first.sides))
    shots = first.sides[reference]
    nearest = min(range(len(shots)), key=lambda k: abs(shots[k].bpp - START_BPP))
    beside = next((name for name in first.sides if name != reference), "original")
    return {
        "reference": reference,
        "beside": beside,
        "images": [exhibit.image for exhibit in report.exhibits],
        "iterations": len(shots),
        "start": nearest + 1,
    }


def exhibit_data(exhibit: Exhibit) -> dict[str, Any]:
    """One image of the viewer as plain types."""
    return {
        "image": exhibit.image,
        "width": exhibit.width,
        "height": exhibit.height,
        "media_type": "image/webp",
        "data": base64.b64encode(exhibit.original).decode(),
        "sides": {
            name: [shot_data(shot) for shot in shots] for name, shots in exhibit.sides.items()
        },
    }


def shot_data(shot: Shot) -> dict[str, Any]:
    """One picture as plain types; JSON has no infinite decibels, which a perfect one has."""
    perfect = shot.psnr_rgb == math.inf
    data = base64.b64encode(shot.data).decode()
    return vars(shot) | {"data": data, "psnr_rgb": None if perfect else shot.psnr_rgb}


def block(content: dict[str, Any]) -> Markup:
    """Data in a page: JSON in which nothing can end its element or begin another."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def page_style() -> str:
    """The style sheet, in the colours of the plots."""
    light = "".join(f"--c{k}: {colour}; " for k, colour in enumerate(plots.COLOURS))
    dark = "".join(
        f"--c{k}: {DARK_COLOURS.get(colour, colour)}; " for k, colour in enumerate(plots.COLOURS)
    )
    swatches = "".join(
        f".swatch.c{k} {{ background: var(--c{k}); }}\n" for k in range(len(plots.COLOURS))
    )
    filled = Template(asset("page.css")).substitute(light_colours=light, dark_colours=dark)
    return filled + swatches


def page_script() -> str:
    """All scripts as one, strict and in a scope of its own."""
    return '"use strict";\n{\n' + "\n".join(asset(name) for name in SCRIPTS) + "}\n"


def policy(style: str, script: str) -> str:
    """A content security policy: this style, this script, embedded pictures, nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{digest(style)}'; "
        f"script-src '{digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """How a policy names an inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
