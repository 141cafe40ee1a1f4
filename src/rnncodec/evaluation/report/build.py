"""From a finished evaluation to its report.html."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import PIL

from rnncodec.evaluation.baselines import Baseline
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.plots import Curves
from rnncodec.evaluation.prefixes import PrefixCodec
from rnncodec.evaluation.report import page, viewer
from rnncodec.evaluation.report.page import Report, write_report
from rnncodec.evaluation.report.tables import asset, merits_html
from rnncodec.evaluation.report.viewer import (
    WEBP_QUALITY,
    Exhibit,
    OurFile,
    Task,
    choose,
    make_exhibit,
    within,
)
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import Merits
from rnncodec.machine.pool import ProcessPool
from rnncodec.machine.progress import track
from rnncodec.version import __version__

SHOW = 6
"""Images of the viewer, where the page's budget allows."""

NAME = "report.html"


@dataclass(frozen=True)
class ReportOptions:
    """How to make the page.

    Attributes:
        show: the most images of the viewer; 0 leaves it out.
        workers: processes that make its pictures.
        progress: show a progress bar on stderr.
    """

    show: int = SHOW
    workers: int = 1
    progress: bool = True


def report_study(
    study: EvaluationSpec,
    results: Sequence[Result],
    merits: Merits,
    *,
    published: Curves | None = None,
    making: ReportOptions | None = None,
) -> Path:
    """Write report.html into the study's folder, unless the one there tells the same.

    Raises:
        RNNCodecError: an image or a kept file cannot be read any more.
        StorageError: the page could not be written.
    """
    making = making or ReportOptions()
    path = study.folder / NAME
    told = merits_html(merits)
    origin = digest(study, results, published=published or {}, show=making.show, told=told)
    if origin_of(path) == origin:
        return path
    found = make_exhibits(study, results, making)
    codecs = [codec.name for codec in study.codecs]
    models = [codec.name for codec in study.codecs if isinstance(codec, EvaluatedModel)]
    report = Report(
        title=title(models, codecs),
        lead=lead(codecs, len(study.images)),
        results=results,
        merits=merits,
        published=published or {},
        facts=facts(study),
        origin=origin,
    )
    kept = within(found, viewer.BUDGET - len(page.page(report).encode()))
    note = viewer_note(kept, len(study.images), len(found)) if kept else no_viewer_note(found)
    write_report(path, replace(report, exhibits=kept, viewer_note=note))
    return path


def make_exhibits(
    study: EvaluationSpec, results: Sequence[Result], making: ReportOptions
) -> list[Exhibit]:
    """The images of the viewer; none without a model that coded one."""
    todo = tasks(study, results, making.show)
    processes = min(making.workers, len(todo)) if making.workers > 1 else 0
    with ProcessPool(make_exhibit, processes) as pool:
        found = pool.ordered(todo)
        text, hidden = "pictures of the report", not making.progress
        return list(track(found, text, total=len(todo), hidden=hidden))


def tasks(study: EvaluationSpec, results: Sequence[Result], show: int) -> list[Task]:
    """What is to make, for the images that the first model makes most and least of."""
    models = [codec for codec in study.codecs if isinstance(codec, EvaluatedModel)]
    formats = [codec for codec in study.codecs if isinstance(codec, Baseline)]
    if not models or show < 1:
        return []
    by_name = {image.name: image for image in study.images}
    return [
        Task(by_name[name], our_files(study, models, results, name), viewer.shown(formats))
        for name in choose(results, models[0].name, show)
    ]


def our_files(
    study: EvaluationSpec, models: Sequence[EvaluatedModel], results: Sequence[Result], image: str
) -> list[OurFile]:
    """What the models made of an image, those that failed left out."""
    found = []
    for model in models:
        rows = [
            row
            for row in results
            if (row.codec, row.image) == (model.name, image) and row.iteration is not None
        ]
        if rows:
            found.append(OurFile(model, study.kept_file(model.name, image), rows))
    return found


def digest(
    study: EvaluationSpec, results: Sequence[Result], *, published: Curves, show: int, told: str
) -> str:
    """What the page depends on, as one hexadecimal number; ``told`` are its figures of merit."""
    content = {
        "version": __version__,
        "pillow": PIL.__version__,
        "results": [asdict(result) for result in results],
        "codecs": [codec.identity() for codec in study.codecs],
        "published": published,
        "show": show,
        "merits": told,
        "page": [asset(name) for name in page.ASSETS],
        "pictures": [WEBP_QUALITY, viewer.BUDGET],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def origin_of(path: Path) -> str | None:
    """The digest that a page states; None without one, or without a page."""
    try:
        with path.open(encoding="utf-8") as file:
            head = file.read(2000)
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(r'<meta name="made-from" content="([0-9a-f]{64})">', head)
    return found[1] if found else None


def title(models: Sequence[str], codecs: Sequence[str]) -> str:
    """The headline.

    Examples:
        >>> title(["a", "b"], ["a", "b", "webp"])
        'a and b beside other codecs'
        >>> title([], ["avif", "webp"])
        'avif and webp'
    """
    names = models or codecs
    text = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return text if len(names) == len(codecs) else f"{text} beside other codecs"


def lead(codecs: Sequence[str], images: int) -> str:
    """The sentence under the headline."""
    plural = "" if images == 1 else "s"
    return (
        f"{', '.join(codecs)} on {images} image{plural}, measured by rnncodec {__version__}. "
        "Every picture was coded to a file and decoded from it: rates are those of whole files, "
        "headers included, and quality is that of the decoded pictures, rounded to 8 bits."
    )


def viewer_note(kept: Sequence[Exhibit], images: int, made: int) -> str:
    """How the images were chosen, and in what form they are in the page."""
    reference = next(iter(kept[0].sides))
    fewer = f" ({made} would make the page too large)" if made > len(kept) else ""
    worst = min(exhibit.fidelity for exhibit in kept)
    return (
        f"{len(kept)} of {images} images{fewer}: in order of {reference}'s mean quality over all "
        "iterations, from its worst to its best, evenly spaced. Beside each iteration of "
        f"{reference} stands every other codec's best file (by squared error, of all settings) "
        "that takes no more bytes, or, marked with how many times as many it takes, its smallest. "
        "Our "
        f"pictures are embedded as WebP of quality {WEBP_QUALITY}, {worst:.1f} dB or more from "
        "the decoded ones; those of the other codecs are their files themselves. The figures are "
        "those of the decoded pictures; the error is shown as embedded."
    )


def no_viewer_note(made: Sequence[Exhibit]) -> str:
    """Why the page shows no picture; "" where there was none to show."""
    if not made:
        return ""
    least = min(exhibit.weight for exhibit in made)
    return (
        "No picture is shown: a single one, with what the codecs make of it, would take "
        f"{least / 1e6:.0f} MB or more, and the whole page may have "
        f"{viewer.BUDGET / 1e6:.0f}. Our coded files lie "
        "beside this page, in the folder files."
    )


def fingerprints(study: EvaluationSpec) -> dict[str, str]:
    """Of each of our models, by name."""
    return {
        codec.name: codec.facts["fingerprint"]
        for codec in study.codecs
        if isinstance(codec, EvaluatedModel)
    }


def facts(study: EvaluationSpec) -> dict[str, str]:
    """What the page was made with."""
    libraries = {
        f"{name} {version}"
        for codec in study.codecs
        if isinstance(codec, Baseline | PrefixCodec)
        for name, version in codec.libraries().items()
    }
    found = {"Made by": f"rnncodec {__version__}"}
    if prints := fingerprints(study):
        told = ", ".join(f"{name} {fingerprint}" for name, fingerprint in prints.items())
        found["Fingerprints of the models"] = told
    if libraries:
        found["Libraries of the other codecs"] = ", ".join(sorted(libraries))
    return found
