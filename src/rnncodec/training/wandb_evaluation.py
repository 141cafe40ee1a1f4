"""What an evaluation puts on a W&B dashboard: curves that overlay, scores, pictures (section 4).

Each curve is logged twice, for what the other cannot do. As **history** (``rd/ms_ssim`` over
``rd/bpp`` or ``rd/bpp_nominal``), which W&B's line panels overlay for all selected runs, average
over a group, and `wandb leet` draws without an account. And as a **custom chart**
(``rd_charts/ms_ssim``), whose one panel has both rates of each run, told apart by the stroke.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from lightning.pytorch.loggers import WandbLogger

from rnncodec.evaluation.codecs import EvaluatedModel, ImageFile
from rnncodec.evaluation.curves import RDCurve, first_of
from rnncodec.evaluation.evaluate import centre
from rnncodec.evaluation.metrics import DECIBEL, described
from rnncodec.evaluation.rd_points import mean_curve, metrics_of
from rnncodec.evaluation.results import Result, read_results
from rnncodec.evaluation.runner import EvaluationSpec
from rnncodec.evaluation.summary import read_summary
from rnncodec.images.reading import Pixels, read_image
from rnncodec.training.wandb_logger import outliving

SHOWN_IMAGES = 3
SIDE = 512
"""How many images the table shows, and how much of each at most, in pixels."""


@outliving()
def log_evaluation(
    logger: WandbLogger, folder: Path, model: EvaluatedModel, images: Sequence[ImageFile]
) -> None:
    """Log curves, areas under them, entropy coding's figures and pictures of an evaluation.

    Nothing is measured again: figures are those of results.csv, pictures what the coded files
    decode to.

    Args:
        logger: the run's logger.
        folder: where the evaluation wrote its files.
        model: what was measured.
        images: what it was measured on; the first :data:`SHOWN_IMAGES` that could be coded are
            shown.

    Raises:
        DataError: the table of results or an image cannot be read.
    """
    run = logger.experiment
    if run.disabled:
        return
    results = read_results(folder / "results.csv")
    measured = [metric for metric in metrics_of(results) if metric != DECIBEL]
    curves = {metric: mean_curve(results, metric) for metric in measured}
    present = {metric: curve for metric, curve in curves.items() if curve is not None}
    run.summary.update(areas(present))
    present |= with_decibels(present)
    log_history(run, present)
    run.log(charts(present))
    summary = read_summary(folder / "summary.json")
    if "entropy" in summary:
        run.log(entropy_record(summary["entropy"]))
    run.log(
        {
            "evaluation/pictures": picture_table(
                model, EvaluationSpec([model], images, folder), results
            )
        }
    )
    sheets = {path.stem: path for path in (folder / "rd.png", folder / "reconstructions.png")}
    run.log({f"evaluation/{name}": wandb.Image(str(path)) for name, path in sheets.items()})


def areas(curves: Mapping[str, RDCurve]) -> dict[str, float]:
    """``auc/ms_ssim``, ``auc/ms_ssim_nominal``, ...: what a curve does not cover is absent."""
    ranged = {f"auc/{metric}": first_of(curve.area()) for metric, curve in curves.items()}
    nominal = {
        f"auc/{metric}_nominal": first_of(curve.nominal_area()) for metric, curve in curves.items()
    }
    return {name: value for name, value in (ranged | nominal).items() if value is not None}


def with_decibels(curves: Mapping[str, RDCurve]) -> dict[str, RDCurve]:
    """The mean MS-SSIM in dB, which spreads what crowds below 1; none at 1."""
    decibel = curves["ms_ssim"].in_decibels() if "ms_ssim" in curves else None
    return {DECIBEL: decibel} if decibel is not None and decibel.samples else {}


def rows(curve: RDCurve) -> Iterator[tuple[int, float, float]]:
    """(iteration, bpp, quality) of each point."""
    for k, (bpp, quality) in zip(curve.iterations or (), curve.samples, strict=True):
        yield k, bpp, quality


def log_history(run: Any, curves: Mapping[str, RDCurve]) -> None:
    """One history row per iteration and rate, with every metric that has this rate.

    Metrics that are defined for the same images share their rows. One that lacks some of the
    images has rows of its own, since its rates are averages over other images.
    """
    # By name, not as rd/*: a key that two patterns match ("*" is one) may take either.
    for axis in ("rd/bpp", "rd/bpp_nominal", "rd/iteration"):
        run.define_metric(axis, hidden=True, summary="none")
    shared: dict[tuple[float, int], dict[str, float]] = {}
    for metric, curve in curves.items():
        run.define_metric(f"rd/{metric}", step_metric="rd/bpp", summary="none")
        for iteration, bpp, value in rows(curve):
            shared.setdefault((bpp, iteration), {})[f"rd/{metric}"] = value
    for (bpp, iteration), values in sorted(shared.items()):
        axes = {"rd/bpp": bpp, "rd/bpp_nominal": iteration / 8, "rd/iteration": iteration}
        run.log(axes | values)


def charts(curves: Mapping[str, RDCurve]) -> dict[str, Any]:
    """A custom chart per metric: value by bpp, of the files and nominal, one table each."""
    return {f"rd_charts/{metric}": chart(metric, curve) for metric, curve in curves.items()}


def chart(metric: str, curve: RDCurve) -> Any:
    """Both lines of one metric; the preset colours them by run."""
    files = [["files", k, bpp, value] for k, bpp, value in rows(curve)]
    nominal = [["nominal", k, k / 8, value] for k, _, value in rows(curve)]
    table = wandb.Table(columns=["rate", "iteration", "bpp", metric], data=[*files, *nominal])
    title = f"{described(metric).heading} by bpp, of the files and nominal"
    return wandb.plot.line(table, "bpp", metric, stroke="rate", title=title)


def picture_table(model: EvaluatedModel, study: EvaluationSpec, results: Sequence[Result]) -> Any:
    """A row per image: the original, then iterations 1, 2, 4, ... and the last, with their scores.

    Bpp and MS-SSIM are of the whole image; what is shown is at most its middle.
    """
    points = {(row.image, row.iteration): row for row in results if row.bytes is not None}
    coded = {name for name, _ in points}
    iterations = [k for k in range(1, model.iterations + 1) if shown(k, model.iterations)]
    columns = ["image", "original"]
    for k in iterations:
        columns += [f"iteration {k}", f"bpp {k}", f"MS-SSIM {k}"]
    table = wandb.Table(columns=columns)
    for image in [image for image in study.images if image.name in coded][:SHOWN_IMAGES]:
        cells: list[Any] = []
        for k, picture in pictures(model, study.coded_file(model.name, image.name)):
            point = points[image.name, k]
            cells += [as_image(picture), point.bpp, point.values.get("ms_ssim")]
        table.add_data(image.name, as_image(read_image(image.path)), *cells)
    return table


def pictures(model: EvaluatedModel, path: Path) -> Iterator[tuple[int, Pixels]]:
    """Those iterations of a coded file that are shown."""
    # The file is our own, of an image that was held as a whole: no limit on its pixels.
    decoded = model.codec.decode_progressive(path.read_bytes(), max_pixels=math.inf)
    for k, picture in enumerate(decoded, start=1):
        if shown(k, model.iterations):
            yield k, np.asarray(picture)


def shown(iteration: int, last: int) -> bool:
    """Whether the table has a picture of it.

    Examples:
        >>> [k for k in range(1, 13) if shown(k, 12)]
        [1, 2, 4, 8, 12]
    """
    return iteration == last or iteration & (iteration - 1) == 0


def as_image(picture: Pixels) -> wandb.Image:
    """The middle of a picture, without loss."""
    return wandb.Image(centre(picture, SIDE), file_type="png")


def entropy_record(entropy: dict[str, Any]) -> dict[str, Any]:
    """The summary's section on entropy coding: its single figures, and a table by iteration."""
    single = {f"entropy/{k}": v for k, v in entropy.items() if isinstance(v, float)}
    by_iteration = entropy["by_iteration"]
    names = list(by_iteration[0])
    data = [[row[name] for name in names] for row in by_iteration]
    return {**single, "entropy/by_iteration": wandb.Table(columns=names, data=data)}
