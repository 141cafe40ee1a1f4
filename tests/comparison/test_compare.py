from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats
from tests.comparison.sweep import make_run
from tests.evaluation.synthetic import codec

from rnncodec.comparison.compare import AUC_MEASURE, SCORE_MEASURE, Comparison, compare, ranks
from rnncodec.comparison.runs import find_runs
from rnncodec.evaluation.curves import first_of
from rnncodec.evaluation.rd_points import mean_curve

GAINS = {"lstm": 0.0, "gru": 0.5}


def compared(folder: Path) -> Comparison:
    return compare(*find_runs([folder]))


def test_runs_are_ranked_by_area(tmp_path: Path) -> None:
    for cell, gain in GAINS.items():
        make_run(tmp_path / cell, cell=cell, gain=gain)
    best, other = compared(tmp_path).rows
    assert (best.runs[0].cell, other.runs[0].cell) == ("gru", "lstm")
    curve = mean_curve(other.runs[0].results, "ms_ssim")
    assert curve is not None
    assert other.auc.value == pytest.approx(first_of(curve.area()), rel=1e-12)
    assert other.auc.low < other.auc.value < other.auc.high
    assert other.nominal.value is not None
    assert other.areas["psnr_hvs"].value is not None


def test_seeds_are_merged_with_students_interval(tmp_path: Path) -> None:
    for seed, gain in enumerate((0.0, 0.2, 0.7)):
        make_run(tmp_path / f"seed={seed}", seed=seed, gain=gain)
    (row,) = compared(tmp_path).rows
    each = [
        first_of(mean_curve(run.results, "psnr_hvs").area())  # type: ignore[union-attr]
        for run in row.runs
    ]
    expected = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    area = row.areas["psnr_hvs"]
    assert len(row.runs) == 3
    assert (area.low, area.high) == pytest.approx((expected.low, expected.high))


def test_a_repetition_with_the_same_seed_is_no_second_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, seed=1)
    assert [len(row.runs) for row in compared(tmp_path).rows] == [1, 1]


def test_how_a_run_was_executed_is_no_setting(tmp_path: Path) -> None:
    how = [
        {"threads": None, "spread": False, "trainer": {"accelerator": "auto", "devices": 1}},
        {"threads": 1, "spread": True, "trainer": {"accelerator": "gpu", "num_nodes": 2}},
        {"loader_workers": 2, "data": {"cache_gb": 3, "cache_dir": "/x"}, "trainer": {}},
    ]
    how[2]["trainer"] = {"log_every_n_steps": 5, "enable_model_summary": True}
    for seed, settings in enumerate(how):
        make_run(tmp_path / str(seed), seed=seed, **settings)
    (row,) = compared(tmp_path).rows
    assert (len(row.runs), row.settings) == (3, {})


def test_what_only_says_how_to_build_is_no_factor(tmp_path: Path) -> None:
    for seed, partial in enumerate((True, False)):
        optim = {"optimizer": {"_target_": "torch.optim.Adam", "_partial_": partial}}
        make_run(tmp_path / str(seed), seed=seed, optim=optim)
    make_run(tmp_path / "other", optim={"optimizer": {"_target_": "torch.optim.SGD"}})
    found = compared(tmp_path)
    assert sorted(row.settings["optim.optimizer"] for row in found.rows) == ["Adam", "SGD"]


def test_a_part_s_own_setting_counts_among_runs_with_that_part(tmp_path: Path) -> None:
    def cell(kind: str, **more: float) -> dict[str, object]:
        return {"_target_": f"rnncodec.network.cells.{kind.lower()}.{kind}", **more}

    make_run(tmp_path / "a", cell="lstm", cell_settings=cell("LSTM"))
    make_run(tmp_path / "b", cell="gru", cell_settings=cell("GRU", update_bias=0.0))
    assert [row.settings for row in compared(tmp_path).rows] == [{}, {}]
    make_run(tmp_path / "c", cell="gru", cell_settings=cell("GRU", update_bias=2.0))
    values = sorted(row.settings["cell.update_bias"] for row in compared(tmp_path).rows)
    assert values == ["", "0.0", "2.0"]


def test_the_training_of_an_entropy_model_counts_for_a_run_that_took_its_codec(
    tmp_path: Path,
) -> None:
    codec = {"entropy_fit": {"max_steps": 9}, "data": {"root": "a", "batch_size": 8}}
    for seed, steps in ((0, 10), (1, 10), (0, 20)):
        own = {"seed": seed, "entropy_fit": {"max_steps": steps}, "data": codec["data"]}
        folder = tmp_path / f"{seed}, {steps}"
        make_run(folder, entropy="progressive", seed=7, entropy_settings=own, **codec)
    found = compared(tmp_path)
    steps = {row.settings["entropy_fit.max_steps"]: row.runs for row in found.rows}
    assert {key: [run.seed for run in runs] for key, runs in steps.items()} == {
        "10": [0, 1],
        "20": [0],
    }
    assert all(row.settings.keys() == {"entropy_fit.max_steps"} for row in found.rows)


def test_other_settings_that_differ_are_factors_too(tmp_path: Path) -> None:
    for cell, gain in GAINS.items():
        for width in (0.5, 1.0):
            settings = {"width": width, "iterations": 16}
            make_run(tmp_path / f"{cell}{width}", cell=cell, gain=gain + width, model=settings)
    found = compared(tmp_path)
    assert found.rows[0].settings == {"model.width": "1.0"}
    assert found.effects is not None
    assert found.effects.measure == AUC_MEASURE
    assert {factor.name for factor in found.effects.factors} == {"cell", "model.width"}


def test_what_follows_from_cell_and_recon_is_no_factor(tmp_path: Path) -> None:
    """Steps that make the costs equal would hide the effects of what they depend on."""
    steps = iter(range(400, 500))
    for cell, gain in GAINS.items():
        for recon, more in (("additive", 0.0), ("one_shot", 0.1)):
            trainer = {"max_steps": next(steps)}
            for seed in (0, 1):
                parts = {"cell": cell, "recon": recon, "gain": gain + more + 0.01 * seed}
                name = f"{cell}{recon}{seed}"
                make_run(tmp_path / name, seed=seed, trainer=trainer, **parts)
    found = compared(tmp_path)
    assert {row.settings["trainer.max_steps"] for row in found.rows} == {
        "400",
        "401",
        "402",
        "403",
    }
    assert found.effects is not None
    assert [factor.name for factor in found.effects.factors] == ["cell", "recon"]
    shares = [factor.share for factor in found.effects.factors]
    assert sum(shares) == pytest.approx(1, abs=0.05)  # type: ignore[arg-type]
    assert found.effects.notes[-1].startswith("trainer.max_steps: given by cell, recon, entropy")


def test_short_curves_are_compared_by_their_score(tmp_path: Path) -> None:
    make_run(tmp_path / "a", cell="gru", rates=[0.125, 0.25, 0.375, 0.5], score=0.4)
    make_run(tmp_path / "b", cell="lstm", rates=[0.125, 0.25, 0.375, 0.5], score=0.6)
    make_run(tmp_path / "c", cell="gru_resnet", score=0.1)
    found = compared(tmp_path)
    assert [row.runs[0].name for row in found.rows] == ["c", "b", "a"]
    assert "do not cover" in found.notes[0] or "2 of 3 rows have no" in found.notes[0]
    assert found.effects is not None
    assert found.effects.measure == SCORE_MEASURE
    (factor,) = found.effects.factors
    assert {level.name: level.mean.value for level in factor.levels} == pytest.approx(
        {"gru": 0.4, "lstm": 0.6, "gru_resnet": 0.1}
    )


SHORT = [0.125, 0.25, 0.375, 0.5]


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "by its value"])
def test_runs_are_never_ranked_across_metrics(tmp_path: Path, noted: bool) -> None:
    """7.96 dB is no better than an MS-SSIM of 0.1356."""
    scores = {"lstm": 0.1356, "gru": 0.25, "assoc_lstm": 7.96, "gru_resnet": 0.1}
    for cell, score in scores.items():
        metric = "psnr_rgb" if cell == "assoc_lstm" else "ms_ssim"
        rates = {} if cell == "gru_resnet" else {"rates": SHORT}
        more = {"metric": metric} if noted else {}
        make_run(tmp_path / cell, cell=cell, score=score, **rates, **more)
    make_run(tmp_path / "none", rates=SHORT, score=None)
    found = compared(tmp_path)
    assert list(zip((row.runs[0].name for row in found.rows), ranks(found.rows), strict=True)) == [
        ("gru_resnet", 1), ("gru", 1), ("lstm", 2), ("assoc_lstm", 1), ("none", 1),
    ]  # fmt: skip
    assert [row.measure for row in found.rows] == [
        AUC_MEASURE, *[SCORE_MEASURE] * 2, "selection score, PSNR (dB)", "nothing",
    ]  # fmt: skip
    assert found.effects is not None
    assert (found.effects.measure, found.effects.runs) == (SCORE_MEASURE, 3)
    assert found.effects.notes[-1] == (
        "1 of 4 runs are left out: their score is of another metric"
    )


def test_seeds_scored_by_different_metrics_are_no_seeds_of_one_row(tmp_path: Path) -> None:
    for seed, score in enumerate((0.5, 20.0)):
        make_run(tmp_path / str(seed), seed=seed, score=score, rates=SHORT)
    assert [row.score.value for row in compared(tmp_path).rows] == [0.5, 20.0]


def test_a_run_on_other_images_is_set_aside(tmp_path: Path) -> None:
    for cell in GAINS:
        make_run(tmp_path / cell, cell=cell)
    rows = [replace(row, image=f"kodak {row.image}") for row in codec("x", [0.1], ours=True)]
    make_run(tmp_path / "other", results=rows)
    found = compared(tmp_path)
    assert [row.runs[0].cell for row in found.rows] == ["gru", "lstm"]
    (aside,) = found.unfinished
    assert (aside.name, aside.missing) == (
        "other",
        "measured on other images than most runs (8 images, of which 0 are theirs)",
    )


def test_without_finished_runs_there_is_nothing_but_that_statement() -> None:
    found = compare([])
    assert (found.rows, found.summary, found.effects) == ([], None, None)
    assert found.notes == ["no run is finished yet"]
