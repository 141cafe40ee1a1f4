"""From a finished evaluation to its report.html."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import PIL

from rnncodec.evaluation.baselines import Baseline
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.evaluation.curves import RDCurve
from rnncodec.evaluation.evaluate import fingerprints
from rnncodec.evaluation.evaluate_image import EvaluationSpec
from rnncodec.evaluation.prefixes import PrefixCodec
from rnncodec.evaluation.report import page, viewer
from rnncodec.evaluation.report.page import Report, asset, summary_html, write_report
from rnncodec.evaluation.report.viewer import (
    WEBP_QUALITY,
    ModelFile,
    ViewerImage,
    ViewerTask,
    choose,
    make_viewer_image,
    within,
)
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import Summary
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


def build_report(
    spec: EvaluationSpec,
    results: Sequence[Result],
    summary: Summary,
    *,
    published: Sequence[RDCurve] = (),
    options: ReportOptions | None = None,
) -> Path:
    """Write report.html into its folder, unless the one there shows the same.

    Raises:
        RNNCodecError: an image or a coded file cannot be read any more.
        StorageError: the page could not be written.
    """
    options = options or ReportOptions()
    path = spec.folder / NAME
    codecs = [codec.name for codec in spec.codecs]
    content = {  # all that the page depends on
        "version": __version__,
        "pillow": PIL.__version__,
        "results": [result.record() for result in results],
        "codecs": [codec.identity() for codec in spec.codecs],
        "published": [(curve.codec, curve.metric, curve.samples) for curve in published],
        "show": options.show,
        "summary": summary_html(summary),
        "page": [asset(name) for name in page.ASSETS],
        "pictures": [WEBP_QUALITY, viewer.BUDGET],
    }
    origin = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    if states(path, origin):
        return path
    made = make_images(spec, results, options)
    report = Report(
        title=title(list(fingerprints(spec)), codecs),
        intro=intro(codecs, len(spec.images)),
        results=results,
        summary=summary,
        published=published,
        facts=facts(spec),
        origin=origin,
    )
    images = within(made, viewer.BUDGET - len(page.page(report).encode()))
    note = viewer_note(images, len(spec.images), made)
    write_report(path, replace(report, images=images, viewer_note=note))
    return path


def states(path: Path, origin: str) -> bool:
    """Whether there is a page that states this digest."""
    try:
        with path.open(encoding="utf-8") as file:
            return f'<meta name="made-from" content="{origin}">' in file.read(2000)
    except (OSError, UnicodeDecodeError):
        return False


def make_images(
    spec: EvaluationSpec, results: Sequence[Result], options: ReportOptions
) -> list[ViewerImage]:
    """The images of the viewer; none without a model that coded one."""
    todo = tasks(spec, results, options.show)
    processes = min(options.workers, len(todo)) if options.workers > 1 else 0
    with ProcessPool(make_viewer_image, processes) as pool:
        found = pool.ordered(todo)
        text, hidden = "pictures of the report", not options.progress
        return list(track(found, text, total=len(todo), hidden=hidden))


def tasks(spec: EvaluationSpec, results: Sequence[Result], show: int) -> list[ViewerTask]:
    """What is to make, for the images that the first model makes most and least of."""
    models = [codec for codec in spec.codecs if isinstance(codec, EvaluatedModel)]
    formats = [codec for codec in spec.codecs if isinstance(codec, Baseline)]
    if not models or show < 1:
        return []
    by_name = {image.name: image for image in spec.images}
    first: dict[str, Baseline] = {}  # of each format that browsers show
    for codec in formats:
        if codec.format in viewer.MEDIA_TYPES:
            first.setdefault(codec.format, codec)
    found = []
    for name in choose(results, models[0].name, show):
        files = []
        for model in models:
            own = [row for row in results if (row.codec, row.image) == (model.name, name)]
            if rows := [row for row in own if row.iteration is not None]:
                files.append(ModelFile(model, spec.coded_file(model.name, name), rows))
        found.append(ViewerTask(by_name[name], files, list(first.values())))
    return found


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


def intro(codecs: Sequence[str], images: int) -> str:
    """The sentence under the headline."""
    plural = "" if images == 1 else "s"
    return (
        f"{', '.join(codecs)} on {images} image{plural}, measured by rnncodec {__version__}. "
        "Every picture was coded to a file and decoded from it: rates are those of whole files, "
        "headers included, and quality is that of the decoded pictures, rounded to 8 bits."
    )


def viewer_note(shown: Sequence[ViewerImage], total: int, made: Sequence[ViewerImage]) -> str:
    """How the images were chosen, and in what form they are in the page; or why none is shown."""
    if not made:
        return ""
    if not shown:
        least = min(image.weight for image in made)
        return (
            "No picture is shown: a single one, with what the codecs make of it, would take "
            f"{least / 1e6:.0f} MB or more, and the whole page may have "
            f"{viewer.BUDGET / 1e6:.0f}. Our coded files are stored "
            "beside this page, in the folder files."
        )
    reference = next(iter(shown[0].sides))
    fewer = f" ({len(made)} would make the page too large)" if len(made) > len(shown) else ""
    worst = min(image.fidelity for image in shown)
    return (
        f"{len(shown)} of {total} images{fewer}: in order of {reference}'s mean quality over all "
        "iterations, from its worst to its best, evenly spaced. Beside each iteration of "
        f"{reference} stands every other codec's best file (by squared error, of all settings) "
        "that takes no more bytes, or, marked with how many times as many it takes, its smallest. "
        f"Our pictures are embedded as WebP of quality {WEBP_QUALITY}, {worst:.1f} dB or more "
        "from the decoded ones; those of the other codecs are their files themselves. The figures "
        "are those of the decoded pictures; the error is shown as embedded."
    )


def facts(spec: EvaluationSpec) -> dict[str, str]:
    """What the page was made with."""
    libraries = {
        f"{name} {version}"
        for codec in spec.codecs
        if isinstance(codec, Baseline | PrefixCodec)
        for name, version in codec.libraries().items()
    }
    found = {"Made by": f"rnncodec {__version__}"}
    if prints := fingerprints(spec):
        listed = (f"{name} {fingerprint}" for name, fingerprint in prints.items())
        found["Fingerprints of the models"] = ", ".join(listed)
    if libraries:
        found["Libraries of the other codecs"] = ", ".join(sorted(libraries))
    return found
