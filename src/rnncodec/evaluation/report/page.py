"""Puts report.html together: one file, nothing fetched, nothing run but its own script."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from rnncodec.evaluation import plots
from rnncodec.evaluation.report import curves
from rnncodec.evaluation.report.tables import failures_html, merits_html
from rnncodec.evaluation.report.viewer import Exhibit, Shot
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import Merits
from rnncodec.machine.storage import write_text
from rnncodec.version import __version__

SCRIPTS = ["page.js", "merits.js", "scales.js", "chart.js", "pixels.js", "viewer.js"]
"""In the order in which they stand in the page."""

ASSETS = ["page.html", "curves.html", "viewer.html", "page.css", *SCRIPTS]

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
    return Template(asset("page.html")).substitute(
        policy=policy(style, script),
        version=escape(__version__),
        origin=escape(report.origin),
        title=escape(report.title),
        lead=escape(report.lead),
        style=style,
        script=script,
        sections="\n".join(sections(report)),
        data="\n".join(data_blocks(report)),
        footer="".join(
            f"<p>{escape(name)}: {escape(fact)}</p>" for name, fact in report.facts.items()
        ),
    )


def sections(report: Report) -> list[str]:
    """The parts of the page that there is something to say in."""
    found = [merits_html(report.merits), asset("curves.html")]
    if report.exhibits:
        found.append(Template(asset("viewer.html")).substitute(note=escape(report.viewer_note)))
    elif report.viewer_note:
        found.append(
            '<section aria-labelledby="viewer-title"><h2 id="viewer-title">The pictures</h2>'
            f'<p class="note">{escape(report.viewer_note)}</p></section>'
        )
    found.append(failures_html(report.merits))
    return [section for section in found if section]


def data_blocks(report: Report) -> list[str]:
    """The numbers and pictures, each image in a block of its own that is read when it is shown."""
    found = [block("curves-data", curves.plot_data(report.results, report.published))]
    if report.exhibits:
        found.append(block("viewer-data", viewer_index(report)))
        found += [
            block(f"exhibit-{k}", exhibit_data(exhibit))
            for k, exhibit in enumerate(report.exhibits)
        ]
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


def block(name: str, content: dict[str, Any]) -> str:
    """Data in a page: JSON in which nothing can end its element or begin another."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


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


def asset(name: str) -> str:
    """A file of this package's ``assets`` folder."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
