"""Builds the W&B workspace and report of a project's runs: python -m ...wandb_dashboard --help.

Both hold the rate-distortion curves of all runs in one panel per metric, the areas under them by
cell and reconstruction, the losses by iteration, and the pictures.
"""

from typing import Annotated, Any

import typer
import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from rich.console import Console
from wandb_workspaces import expr

from rnncodec.errors import ConfigError, RNNCodecError
from rnncodec.evaluation.metrics import METRICS, USUAL, described

RD_METRICS = ("ms_ssim", "ms_ssim_db", "psnr_hvs", "psnr_hvs_m", "psnr_rgb")
AUC_METRICS = ("ms_ssim", "ms_ssim_nominal", "psnr_hvs")
FACTORS = ("cell", "recon", "entropy")
ITERATIONS = (1, 2, 4, 8, 16)

MOST_RUNS = 100
"""Runs in a panel. W&B shows 10 by default, and the paper's grid alone has 12."""

TITLE = "Rate-distortion"
BEST_FIRST = "auc/ms_ssim"


def workspace(entity: str, project: str, group: str | None = None) -> ws.Workspace:
    """The workspace, not yet saved; of the runs of one sweep if ``group`` is given."""
    sections = [
        ("Rate-distortion, bytes of files", rd_panels("rd/bpp", "bpp of the files")),
        ("Rate-distortion, nominal rate", rd_panels("rd/bpp_nominal", "nominal bpp")),
        ("Both rates in one chart", chart_panels()),
        ("AUC by cell and reconstruction", auc_panels()),
        ("Loss by iteration", loss_panels()),
        ("Pictures", picture_panels()),
    ]
    pinned = [f"config:factors.value.{name}" for name in FACTORS]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=TITLE if group is None else f"{TITLE} of {group}",
        sections=[ws.Section(name=name, panels=p, is_open=True) for name, p in sections],
        settings=ws.WorkspaceSettings(max_runs=MOST_RUNS),
        runset_settings=ws.RunsetSettings(
            filters=in_group(group),
            order=[ws.Ordering(ws.Summary(BEST_FIRST), ascending=False)],
            pinned_columns=[*pinned, *(f"summary:auc/{name}" for name in AUC_METRICS)],
        ),
    )


def report(entity: str, project: str, group: str | None = None) -> wr.Report:
    """The report, not yet saved; of the runs of one sweep if ``group`` is given."""
    parts = [
        (
            "Rate-distortion curves",
            "Each run's mean over the evaluation images. Rates are those of whole files, then "
            "nominal: an eighth of a bit per pixel and iteration, without entropy coding.",
            [
                *rd_panels("rd/bpp", "bpp of the files"),
                *rd_panels("rd/bpp_nominal", "nominal bpp"),
            ],
        ),
        (
            "AUC by cell and reconstruction",
            "The mean of the curve over 0.25 to 1.5 bpp; nominal: its integral over 0.125 to 2 "
            "bpp. A run whose curve does not cover the range has none.",
            auc_panels(),
        ),
        (
            "Loss by iteration",
            "The mean absolute residual of training after some of the iterations.",
            loss_panels(),
        ),
        ("Pictures", "Crops of evaluation images after some of the iterations.", picture_panels()),
    ]
    order = [wr.OrderBy(wr.SummaryMetric(BEST_FIRST), ascending=False)]
    blocks: list[Any] = [wr.TableOfContents()]
    for heading, text, panels in parts:
        # of the report's own project, since it names no other
        runs = wr.Runset(name=group or "all runs", filters=in_group(group), order=order)
        for k, panel in enumerate(panels):  # three to a row: a workspace does this by itself
            panel.layout = wr.Layout(x=8 * (k % 3), y=6 * (k // 3), w=8, h=6)
        blocks += [wr.H2(heading), wr.P(text), wr.PanelGrid(runsets=[runs], panels=panels)]
    title = TITLE if group is None else f"{TITLE} of {group}"
    return wr.Report(entity=entity, project=project, title=title, blocks=blocks, width="fluid")


def rd_metrics() -> list[str]:
    """The metrics with panels: :data:`RD_METRICS`, then those that were registered later."""
    return [*RD_METRICS, *(metric for metric in METRICS if metric not in USUAL)]


def in_group(group: str | None) -> expr.And:
    """The filter for one sweep's runs."""
    return expr.And() if group is None else expr.And(expr.Metric("Group") == group)


def rd_panels(axis: str, axis_title: str) -> list[Any]:
    """One panel per metric, in which the curves of all runs overlay."""
    return [
        wr.LinePlot(
            title=f"{described(metric).heading} by {axis_title}",
            x=axis,
            y=[f"rd/{metric}"],
            range_x=(0, 2),
            title_x=axis_title,
            title_y=described(metric).heading,
            smoothing_type="none",
            max_runs_to_show=MOST_RUNS,
        )
        for metric in rd_metrics()
    ]


def chart_panels() -> list[Any]:
    """The custom charts that the runs logged, for all runs at once."""
    return [
        wr.CustomChart(
            query={"summaryTable": {"tableKey": f"rd_charts/{metric}_table"}},
            chart_name="wandb/line/v0",
            chart_fields={"x": "bpp", "y": metric, "stroke": "rate"},
            chart_strings={
                "title": f"{described(metric).heading} by bpp, of the files and nominal"
            },
        )
        for metric in rd_metrics()
    ]


def auc_panels() -> list[Any]:
    """Bars by cell and reconstruction, and lines from the factors to the scores."""
    bars = [
        wr.BarPlot(
            title=f"AUC {name} by cell and reconstruction",
            metrics=[f"auc/{name}"],
            groupby=wr.Config("factors.codec"),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
            max_runs_to_show=MOST_RUNS,
            max_bars_to_show=MOST_RUNS,
        )
        for name in AUC_METRICS
    ]
    axes = [wr.Config(f"factors.{name}") for name in FACTORS]
    scores = [wr.SummaryMetric(f"auc/{name}") for name in AUC_METRICS]
    columns = [wr.ParallelCoordinatesPlotColumn(metric=metric) for metric in [*axes, *scores]]
    return [*bars, wr.ParallelCoordinatesPlot(title="Factors and AUC", columns=columns)]


def loss_panels() -> list[Any]:
    """The loss after some of the iterations, by optimiser step."""
    return [
        wr.LinePlot(
            title=f"Loss after iteration {k}",
            x="trainer/global_step",
            y=[f"train/loss_t{k:02d}"],
            log_y=True,
            max_runs_to_show=MOST_RUNS,
        )
        for k in ITERATIONS
    ]


def picture_panels() -> list[Any]:
    """The sheets of reconstructions, run by run, and the table of pictures."""
    sheets = wr.MediaBrowser(
        title="Reconstructions", media_keys=["evaluation/reconstructions"], gallery_axis="run"
    )
    return [sheets, wr.WeavePanelSummaryTable(table_name="evaluation/pictures")]


def specs(built: ws.Workspace, written: wr.Report) -> dict[str, Any]:
    """What would be sent, as plain data."""
    models = {"workspace": built._to_model(), "report": written._to_model()}
    return {
        name: model.spec.model_dump(by_alias=True, exclude_none=True)
        for name, model in models.items()
    }


def main(
    entity: Annotated[str, typer.Option(help="User or team that owns the project.")],
    project: Annotated[str, typer.Option(help="Project of the runs.")] = "rnncodec",
    group: Annotated[str | None, typer.Option(help="Only the runs of this sweep.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent; needs no account.")
    ] = False,
) -> None:
    """Create a W&B workspace and report of the project's runs; each call creates new ones."""
    built, written = workspace(entity, project, group), report(entity, project, group)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if dry_run:
        console.print_json(data=specs(built, written))
        return
    try:
        found = sorted(each.name for each in wandb.Api().projects(entity))
        if project not in found:  # saving a report would make it, empty
            raise ConfigError(
                f"{entity}/{project}: no such project; {entity} has {', '.join(found) or 'none'}; "
                "upload its runs first, with wandb sync"
            )
        for made in (built, written):
            console.print(made.save().url)
    except (wandb.Error, RNNCodecError) as error:
        Console(stderr=True, soft_wrap=True, markup=False).print(f"error: {error}")
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
