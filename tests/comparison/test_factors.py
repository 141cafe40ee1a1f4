from itertools import product

import numpy as np
import pytest
from scipy import stats

from rnncodec.comparison.compare import main_effects

CELLS, RECONS = ("gru", "lstm", "assoc"), ("additive", "one_shot")
GRID = [{"cell": c, "recon": r, "width": "1"} for c, r in product(CELLS, RECONS)]
FIGURES = [0.95, 0.90, 0.94, 0.91, 0.97, 0.90]


def test_a_balanced_grid_is_a_two_way_analysis_of_variance() -> None:
    found = main_effects("AUC", GRID, FIGURES)
    table = np.array(FIGURES).reshape(3, 2)
    grand = table.mean()
    total = ((table - grand) ** 2).sum()
    by_cell = 2 * ((table.mean(axis=1) - grand) ** 2).sum()
    by_recon = 3 * ((table.mean(axis=0) - grand) ** 2).sum()
    shares = {factor.name: factor.share for factor in found.factors}
    assert shares == pytest.approx({"cell": by_cell / total, "recon": by_recon / total})
    assert found.rest == pytest.approx(1 - (by_cell + by_recon) / total)
    assert [factor.name for factor in found.factors] == ["recon", "cell"]  # by share
    means = {level.name: level.mean for factor in found.factors for level in factor.levels}
    assert {name: mean.value for name, mean in means.items()} == pytest.approx(
        dict(zip((*CELLS, *RECONS), (*table.mean(axis=1), *table.mean(axis=0)), strict=True))
    )
    spread = (total - by_cell - by_recon) / 2  # 6 runs - 1 - 2 - 1 degrees of freedom
    half = stats.t.ppf(0.975, 2) * np.sqrt(spread / 3)
    assert means["additive"].high - means["additive"].value == pytest.approx(half)
    assert found.notes == []


def test_an_unfinished_grid_is_still_read_rightly_where_effects_add() -> None:
    effect = {"gru": 0.0, "lstm": 0.02, "assoc": -0.01, "additive": 0.05, "one_shot": 0.0}
    values = [0.9 + effect[s["cell"]] + effect[s["recon"]] for s in GRID]
    found = main_effects("AUC", GRID[:-1], values[:-1])  # plain means would favour the others
    means = {level.name: level.mean.value for factor in found.factors for level in factor.levels}
    assert means["assoc"] == pytest.approx(0.9 - 0.01 + 0.025)
    assert means["additive"] - means["one_shot"] == pytest.approx(0.05)
    (note,) = found.notes
    assert note.startswith("the grid is unbalanced (0 to 1 runs of each of its 6 combinations)")


def test_factors_that_vary_together_are_not_separated() -> None:
    settings = [{"cell": "gru", "recon": "additive"}, {"cell": "lstm", "recon": "one_shot"}]
    found = main_effects("AUC", settings, [0.9, 0.8])
    assert [factor.share for factor in found.factors] == [None, None]
    assert found.factors[0].levels[0].mean.value == 0.9
    assert "do not separate the factors" in found.notes[0]


def test_a_setting_that_goes_with_a_choice_is_no_factor_of_its_own() -> None:
    alphas = {"l1": "", "mixed": "0.84"}
    settings = [
        {"loss": loss, "loss.alpha": alphas[loss], "priming": priming}
        for loss, priming in product(alphas, "03")
    ]
    found = main_effects("score", settings, [0.9, 0.8, 0.7, 0.65])
    assert [factor.name for factor in found.factors] == ["loss", "priming"]
    assert found.notes == ["loss.alpha is left out: loss says which"]
    settings[3]["loss.alpha"] = "0.5"
    found = main_effects("score", settings, [0.9, 0.8, 0.7, 0.65])
    assert "loss.alpha" in [factor.name for factor in found.factors]


def test_as_many_effects_as_runs_leave_no_interval() -> None:
    found = main_effects("AUC", [{"cell": "gru"}, {"cell": "lstm"}], [0.9, 0.8])
    (factor,) = found.factors
    assert factor.share == pytest.approx(1.0)
    assert factor.levels[0].mean.low is None
    assert factor.levels[0].mean.reason == "no interval: as many effects as runs"


@pytest.mark.parametrize("settings", [[], [{"cell": "gru"}], [{"cell": "gru"}] * 3])
def test_one_level_explains_nothing(settings: list[dict[str, str]]) -> None:
    found = main_effects("AUC", settings, [0.5] * len(settings))
    assert found.factors == []
    assert "nothing to compare" in found.notes[0]


def test_equal_figures_have_no_variance_to_share() -> None:
    found = main_effects("AUC", GRID, [0.5] * 6)
    assert found.rest is None
    assert "all runs have the same figure" in found.notes[-1]
