"""The dashboard as W&B receives it: what the panels ask for is what runs log."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
import wandb

from rnncodec.evaluation.curves import RDCurve
from rnncodec.training import wandb_dashboard
from rnncodec.training.wandb_evaluation import areas, charts, with_decibels


def panels(view: str, group: str | None = None) -> list[dict[str, Any]]:
    """The panels of the workspace or the report, in order."""
    built = wandb_dashboard.workspace("team", "lab", group)
    written = wandb_dashboard.report("team", "lab", group)
    spec = wandb_dashboard.specs(built, written)[view]
    if view == "workspace":
        sections = spec["section"]["panelBankConfig"]["sections"]
        return [panel for section in sections for panel in section["panels"]]
    grids = [block for block in spec["blocks"] if block["type"] == "panel-grid"]
    return [panel for g in grids for panel in g["metadata"]["panelBankSectionConfig"]["panels"]]


def configs(view: str, kind: str) -> list[dict[str, Any]]:
    return [panel["config"] for panel in panels(view) if panel["viewType"] == kind]


@pytest.mark.parametrize("view", ["workspace", "report"])
def test_each_metric_is_drawn_over_both_rates(view: str) -> None:
    lines = configs(view, "Run History Line Plot")
    for axis in ("rd/bpp", "rd/bpp_nominal"):
        drawn = [line["metrics"] for line in lines if line["xAxis"] == axis]
        metrics = ("ms_ssim", "ms_ssim_db", "psnr_hvs", "psnr_hvs_m", "psnr_rgb")
        assert drawn == [[f"rd/{metric}"] for metric in metrics]
    assert all(line["limit"] >= 12 for line in lines), "the whole grid, not W&B's first 10 runs"


@pytest.mark.parametrize("view", ["workspace", "report"])
def test_areas_losses_and_pictures(view: str) -> None:
    bars = configs(view, "Bar Chart")
    assert {bar["groupBy"] for bar in bars} == {"factors.value.codec"}
    assert [bar["metrics"] for bar in bars] == [
        ["auc/ms_ssim"], ["auc/ms_ssim_nominal"], ["auc/psnr_hvs"],
    ]  # fmt: skip
    (parallel,) = configs(view, "Parallel Coordinates Plot")
    axes = [column["accessor"] for column in parallel["columns"]]
    assert axes[:2] == ["config:factors.value.cell", "config:factors.value.recon"]
    assert axes[3:] == [
        "summary:auc/ms_ssim",
        "summary:auc/ms_ssim_nominal",
        "summary:auc/psnr_hvs",
    ]
    lines = configs(view, "Run History Line Plot")
    losses = [line["metrics"] for line in lines if line["xAxis"] == "trainer/global_step"]
    assert losses == [[f"train/loss_t{k:02d}"] for k in (1, 2, 4, 8, 16)]
    (browser,) = configs(view, "Media Browser")
    assert browser["mediaKeys"] == ["evaluation/reconstructions"]
    (table,) = configs(view, "Weave")
    assert '"val": "evaluation/pictures"' in json.dumps(table)


def test_panels_ask_for_what_runs_log() -> None:
    samples = [(k / 8, 0.9) for k in range(1, 17)]
    curve = replace(RDCurve.of(samples), iterations=tuple(range(1, 17)))
    metrics = dict.fromkeys(("psnr_rgb", "ms_ssim", "psnr_hvs", "psnr_hvs_m"), curve)
    logged = metrics | with_decibels(metrics)
    assert {f"auc/{name}" for name in wandb_dashboard.AUC_METRICS} <= set(areas(metrics))
    tables = set()
    for config in configs("workspace", "Vega2"):
        (query,) = config["userQuery"]["queryFields"]
        (asked,) = [f for f in query["fields"] if f["name"] == "summaryTable"]
        tables.add(asked["args"][0]["value"])
        spec = charts(logged)[tables_key(asked)].spec
        assert (config["panelDefId"], config["fieldSettings"]) == (spec.spec_name, spec.fields)
        assert config["stringSettings"] == spec.string_fields
    assert tables == {f"rd_charts/{metric}_table" for metric in logged}


def tables_key(asked: dict[str, Any]) -> str:
    """The chart whose table is asked for."""
    return str(asked["args"][0]["value"]).removesuffix("_table")


def test_a_group_narrows_both_to_its_runs_best_first() -> None:
    built, written = (
        make("team", "lab", "demo_grid")
        for make in (wandb_dashboard.workspace, wandb_dashboard.report)
    )
    specs = wandb_dashboard.specs(built, written)
    grids = [block for block in specs["report"]["blocks"] if block["type"] == "panel-grid"]
    of_report = [grid["metadata"]["runSets"] for grid in grids]
    assert len(of_report) == 4
    for (runs,) in (specs["workspace"]["section"]["runSets"], *of_report):
        (filtered,) = runs["filters"]["filters"]
        assert (filtered["key"], filtered["value"]) == (
            {"section": "run", "name": "group"},
            "demo_grid",
        )
        (first,) = runs["sort"]["keys"]
        assert first == {"key": {"section": "summary", "name": "auc/ms_ssim"}, "ascending": False}


def test_panels_of_a_report_do_not_overlap() -> None:
    spec = wandb_dashboard.report("team", "lab")._to_model().spec.model_dump(by_alias=True)
    for block in spec["blocks"]:
        if block["type"] == "panel-grid":
            found = block["metadata"]["panelBankSectionConfig"]["panels"]
            corners = [(panel["layout"]["x"], panel["layout"]["y"]) for panel in found]
            assert len(set(corners)) == len(corners)
            assert all(panel["layout"]["x"] + panel["layout"]["w"] <= 24 for panel in found)


class StandIn(BaseHTTPRequestHandler):
    """As much of W&B's GraphQL API as saving needs; keeps what was saved."""

    saved: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/graphql":  # telemetry
            self.send_error(404)
            return
        asked = json.loads(body)
        answer = json.dumps({"data": self.answer(asked["query"], asked.get("variables"))}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, query: str, variables: Any) -> dict[str, Any]:
        if "query Viewer" in query:
            teams = {"edges": [{"node": {"name": "team"}}]}
            return {"viewer": {"id": "u", "entity": "team", "username": "u", "teams": teams}}
        if "query GetProjects" in query:
            project = {
                "__typename": "Project", "id": "p", "name": "lab", "entityName": "team",
                "createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None,
            }  # fmt: skip
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            return {"models": {"pageInfo": page, "edges": [{"node": project}]}}
        if "upsertView" in query:
            type(self).saved.append(variables)
            view = {"id": f"id{len(self.saved)}", "name": variables["name"], "spec": "{}"}
            return {"upsertView": {"view": view, "inserted": True}}
        return {}

    def log_message(self, *args: Any) -> None:
        """Not on stderr."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    StandIn.saved = []
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def _at_the_stand_in(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for variable in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.usefixtures("_at_the_stand_in")
def test_both_are_saved_once_and_their_addresses_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wandb_dashboard.main("team", "lab", "grid")
    view, report = StandIn.saved
    assert [sent["entityName"] for sent in StandIn.saved] == ["team"] * 2
    assert [sent["projectName"] for sent in StandIn.saved] == ["lab"] * 2
    assert [sent["displayName"] for sent in StandIn.saved] == ["Rate-distortion of grid"] * 2
    assert (view["type"], report["type"]) == ("project-view", "runs")
    sections = json.loads(view["spec"])["section"]["panelBankConfig"]["sections"]
    kinds = [panel["viewType"] for section in sections for panel in section["panels"]]
    assert kinds == [panel["viewType"] for panel in panels("workspace")]
    grids = [block for block in json.loads(report["spec"])["blocks"] if "metadata" in block]
    kinds = [
        panel["viewType"]
        for grid in grids
        for panel in grid["metadata"]["panelBankSectionConfig"]["panels"]
    ]
    assert kinds == [panel["viewType"] for panel in panels("report")]
    first, second = capsys.readouterr().out.split()
    assert "/team/lab?nw=" in first
    assert "/team/lab/reports/Rate-distortion-of-grid--id2" in second


@pytest.mark.usefixtures("_at_the_stand_in")
def test_a_project_that_is_not_there_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        wandb_dashboard.main("team", "typo")
    said = capsys.readouterr().err
    assert "error: team/typo: no such project; team has lab; upload its runs first" in said
    assert StandIn.saved == []


def test_dry_run_prints_the_specs_without_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    wandb_dashboard.main("team", "lab", dry_run=True)
    assert set(json.loads(capsys.readouterr().out)) == {"workspace", "report"}
