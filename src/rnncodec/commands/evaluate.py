"""`rnncodec evaluate`: models beside the codecs a user would pick instead, on the same images."""

import importlib.util
import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncodec.commands import options
from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import processors

if TYPE_CHECKING:
    from rnncodec.evaluation.codecs import EvaluatedCodec, EvaluatedModel
    from rnncodec.evaluation.results import Result
    from rnncodec.evaluation.runner import EvaluationResult, EvaluationSpec

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="PATH|NAME",
        help="A model file, or a name that `rnncodec models` lists; once for each model.",
    ),
]
Images = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder of pictures, searched through and through.")
]
OutFolder = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for tables and coded files.")
]
Baselines = Annotated[
    str,
    typer.Option(
        metavar="NAME,...|all|none",
        help="jpeg-420, jpeg-420-optimized, jpeg-420-progressive, jpeg-444, jpeg-444-optimized, "
        "jpeg2000, webp, avif, jxl (with pillow-jxl-plugin); and, as ours are, one progressive "
        "file cut: jpeg-420-prefixes, jpeg2000-prefixes (with opj_decompress), jxl-prefixes (with "
        "cjxl and djxl). `all` are these; plug-ins are measured where they are named.",
    ),
]
Published = Annotated[
    Path | None,
    typer.Option(
        metavar="NAME|CSV",
        help="Published curves to stand beside: kodak, kodak-more (`rnncodec curves` lists them), "
        "or a file of codec,metric,bpp,value.",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="A further metric: visual_information_fidelity, or a plug-in.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Processes of one thread each (0: none but this); default: one a processor that "
        "this job may use.",
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option("--iterations", "-n", metavar="K", help="Of the models; default: all."),
]

Adaptive = Annotated[
    list[str] | None,
    typer.Option(
        "--adaptive",
        metavar=options.ADAPTIVE_FORM,
        help="Measure each model with this setting of `rnncodec compress` too, as a codec of its "
        "own: compact-1+ssim; once for each.",
    ),
]
Efforts = Annotated[
    list[int] | None,
    typer.Option(
        "--effort",
        metavar="STEPS",
        help="Measure each model with this setting of `rnncodec compress` too, as a codec of its "
        "own: compact-1+effort=4, compact-1+ssim+effort=4; once for each.",
    ),
]
EffortFor = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        metavar=options.EFFORT_FOR_FORM,
        help="What --effort is for, as of `rnncodec compress`: compact-1+effort=4+for=psnr_hvs; "
        "once for each; default: what the model's own loss weighs.",
    ),
]
Rates = Annotated[
    str | None,
    typer.Option(
        "--bpp",
        metavar="RATE,RATE,...",
        help="Measure each model at these rates too, a file for each as `rnncodec compress --bpp` "
        "makes it, with --adaptive and --effort together where given: compact-1+ssim+bpp. They "
        "are then not measured by iteration.",
    ),
]
Anchor = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Codec that areas and BD-rates are held against; default: first of the baselines.",
    ),
]
Show = Annotated[
    int, typer.Option(min=0, metavar="N", help="Most pictures in report.html's viewer; 0: none.")
]


NEEDED = ("psnr_hvsm", "bjontegaard", "jinja2", "matplotlib", "scipy", "tabulate", "torchmetrics")
"""Modules of the extra ``eval``."""


def evaluate(
    images: Images,
    out: OutFolder,
    model: Models = None,
    baselines: Baselines = "all",
    published: Published = None,
    metric: Metrics = None,
    workers: Workers = None,
    iterations: Iterations = None,
    adaptive: Adaptive = None,
    effort: Efforts = None,
    effort_for: EffortFor = None,
    bpp: Rates = None,
    anchor: Anchor = None,
    show: Show = 6,
    device: options.Device = "cpu",
) -> None:
    """Measure models and other codecs on a folder of pictures.

    - `rnncodec evaluate --model compact --images kodak/ --out outputs/kodak`

    Every picture is coded to a file and decoded from it; rates are those of the files. Written:
    results.csv (a row per codec, picture and setting, with five metrics and seconds),
    evaluation.json (what was measured, with which versions, and the peak memory), and the models'
    files. From these: report.html (one page to look at and to send: curves, figures of merit, the
    pictures), results.json, table.md, table.tex, rd.pdf and rd.png. Repeating the command
    measures only what is new; after Ctrl-C it resumes.

    A picture that fails has a row with the reason, enters no average, and makes the exit code 2.
    """
    require(*NEEDED)
    import torch

    from rnncodec.evaluation import evaluate as evaluation
    from rnncodec.evaluation.codecs import images_in, named_models
    from rnncodec.evaluation.curves import read_published
    from rnncodec.evaluation.metrics import check_names
    from rnncodec.evaluation.prefixes import ANCHORS, chosen_baselines
    from rnncodec.evaluation.report.build import ReportOptions, build_report
    from rnncodec.evaluation.runner import EvaluationSpec

    check_folder(out)
    curves = [] if published is None else read_published(published)
    models = named_models(model or [], iterations=iterations, device=device, taken=tuple(ANCHORS))
    formats, left_out = chosen_baselines(baselines)
    others = variants(models, adaptive or [], effort or [], chosen_rates(bpp), effort_for or [])
    codecs: list[EvaluatedCodec] = [*models, *others, *formats]
    anchor = chosen_anchor(anchor, codecs)
    check_names(metric or [])
    spec = EvaluationSpec(codecs, images_in(images), out, metric or [])
    for reason in left_out:
        typer.echo(f"rnncodec: left out: {reason}", err=True)
    torch.set_num_threads(1)
    options = ReportOptions(show, processors.available() if workers is None else workers)
    measured, summary = evaluation.evaluate(
        spec,
        workers=options.workers,
        anchor=anchor,
        left_out=left_out,
        published=published,
    )
    page = build_report(spec, measured.results, summary, published=curves, options=options)
    print_report(spec, measured, page)
    raise typer.Exit(2 if any(row.bytes is None for row in measured.results) else 0)


def variants(
    models: "Sequence[EvaluatedModel]",
    rules: Sequence[str],
    efforts: Sequence[int],
    rates: Sequence[float] = (),
    metrics: Sequence[str] = (),
) -> "list[EvaluatedModel]":
    """Each model with each adaptive setting, each effort (for each metric), and each pair.

    At given rates each pair alone, since every one of their files is a search of its own.

    Raises:
        ConfigError: settings without a model; a setting that is none.
    """
    given = {"--adaptive": rules, "--effort": efforts, "--bpp": rates}
    if not models and any(given.values()):
        name = next(name for name, values in given.items() if values)
        raise ConfigError(f"{name} is a setting of models: give --model, too")
    if metrics and not efforts:
        raise ConfigError(f"--for {metrics[0]}: says what a search is for: give --effort, too")
    chosen: list[str | None] = list(metrics) or [None]
    searches: list[tuple[int | None, str | None]] = list(product(efforts, chosen))
    if rates:
        how: list[str | None] = list(rules) or [None]
        pairs = list(product(how, searches or [(None, None)]))
    else:
        pairs = [*((rule, (None, None)) for rule in rules), *product([None, *rules], searches)]
    return [
        each.coding(rule, steps, effort_for=metric, rates=rates)
        for each in models
        for rule, (steps, metric) in pairs
    ]


def chosen_rates(text: str | None) -> list[float]:
    """The rates of `--bpp 0.25,0.5,1`, which rise; none without it.

    Raises:
        ConfigError: they are no such numbers.
    """
    if text is None:
        return []
    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 < rate < math.inf for rate in rates) or rates != sorted(set(rates)):
        raise ConfigError(f"--bpp {text}: expected positive rates that rise, as in 0.25,0.5,1")
    return rates


def chosen_anchor(anchor: str | None, codecs: "Sequence[EvaluatedCodec]") -> str | None:
    """The codec that deltas are taken against: that asked for, or the first baseline.

    Raises:
        ConfigError: it is not among the codecs, or there are none.
    """
    if not codecs:
        raise ConfigError("nothing to evaluate: give --model, or --baselines other than none")
    names = [codec.name for codec in codecs]
    if anchor is not None and anchor not in names:
        raise ConfigError(f"--anchor {anchor}: not among the codecs {', '.join(names)}")
    first = (codec.name for codec in codecs if codec.suffix is None)
    return anchor or next(first, None)


def require(*modules: str) -> None:
    """Refuse to start without a module that the metrics need.

    Raises:
        ConfigError: it is not installed; says how to.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ConfigError(
                f"rnncodec evaluate needs {module}; run: pip install 'rnncodec[eval]'"
            )


def check_folder(out: Path) -> None:
    """Refuse a folder whose table this command would replace without having written it.

    Raises:
        StorageError: there is a results.csv of someone else or of a run, or no folder.
    """
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out}: is a file; choose another --out")
    if (out / "results.csv").exists() and not (out / "evaluation.json").exists():
        raise StorageError(f"{out}: holds a results.csv of another origin; choose another --out")
    if (out / "summary.json").exists():
        raise StorageError(f"{out}: holds a training run's own evaluation; choose another --out")


def print_report(spec: "EvaluationSpec", measured: "EvaluationResult", page: Path) -> None:
    """Print a line per codec, the failures, and where the table and the page are."""
    rows: dict[str, list[Result]] = defaultdict(list)
    for result in measured.results:
        rows[result.codec].append(result)
    for codec, found in rows.items():
        typer.echo(line(codec, found))
    for reason in dict.fromkeys(
        f"{row.image}: {row.codec}: {row.reason}" for row in measured.results if row.reason
    ):
        typer.echo(f"rnncodec: {reason}", err=True)
    total = len(spec.codecs) * len(spec.images)
    typer.echo(f"{total - measured.found} codings, {measured.found} known before")
    typer.echo(str(spec.folder / "results.csv"))
    typer.echo(str(page))


def line(codec: str, rows: "list[Result]") -> str:
    """How many images a codec did, and between which rates.

    Examples:
        >>> from rnncodec.evaluation.results import Result
        >>> line("webp", [Result("webp", "q=1", "a", None, 9, 0.5, {})])
        'webp: 1 of 1 images, 0.500 to 0.500 bpp'
    """
    images = {row.image for row in rows}
    rates = [row.bpp for row in rows if row.bpp is not None]
    done = len({row.image for row in rows if row.bpp is not None})
    span = f", {min(rates):.3f} to {max(rates):.3f} bpp" if rates else ""
    return f"{codec}: {done} of {len(images)} images{span}"
