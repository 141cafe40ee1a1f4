"""The same training has the same folder, however it is run (spelling: the function's examples)."""

from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from rnncodec.errors import ConfigError
from rnncodec.runs.run_names import given_name, run_name


@pytest.mark.parametrize(
    "how",
    [
        *("launcher=local", "threads=1", "spread=true", "loader_workers=0", "checkpoint_every=50"),
        *("logger=csv", "logger.project=mine", "data.num_workers=2", "data.cache_mb=100"),
        *("trainer.devices=2", "trainer.num_nodes=2", "trainer.accelerator=cpu"),
        *("trainer.enable_progress_bar=false", "+trainer.enable_model_summary=true"),
    ],
)
def test_how_a_run_is_run_does_not_name_it(how: str) -> None:
    assert run_name(None, ["cell=gru", how]) == "cell=gru"


@pytest.mark.parametrize("what", ["trainer.max_steps=5", "data.batch_size=8", "seed=1"])
def test_what_it_makes_does(what: str) -> None:
    assert run_name(None, ["cell=gru", what]) == f"cell=gru,{what}"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("20240131", "20240131"),
        ("2026_11_30", "2026_11_30"),
        ("1", "1"),
        ("1.50", "1.50"),
        ("true", "true"),
        ("nan", "nan"),
        ("0123", "0123"),
        ("'null'", "null"),
        ("2026-11-30", "2026-11-30"),
        ("null", None),
    ],
)
def test_any_scalar_is_a_name_as_it_was_typed(typed: str, name: str | None) -> None:
    override = f"name={typed}"
    value = OverridesParser.create().parse_override(override).value()
    assert given_name(value, ["cell=gru", override]) == name
    assert run_name(value, [override]) == (name or "default")


@pytest.mark.parametrize(
    ("value", "name"), [(7, "7"), (1.5, "1.5"), (False, "false"), (float("nan"), "nan")]
)
def test_a_name_that_a_preset_gives_may_be_a_number(value: object, name: str) -> None:
    assert run_name(value, ["cell=gru"]) == name


@pytest.mark.parametrize("typed", ["..", ".", "../x", "/tmp/x", "", "''", ".hidden", "[a]", "{}"])
def test_a_name_stays_below_the_outputs(typed: str) -> None:
    override = f"name={typed}"
    value = OverridesParser.create().parse_override(override).value()
    with pytest.raises(
        ConfigError, match=r"^name=.*: expected the name of a folder below outputs/"
    ):
        run_name(value, [override])


def test_other_parts_of_a_path_make_no_folders() -> None:
    for typed in ("a/b", "a/../../b", r"C:\x", "a\nb", "\udcff"):
        name = run_name(typed, [])
        assert Path("outputs", name).resolve().parent == Path("outputs").resolve()
        assert name.isprintable()


LR = "optim.optimizer.lr"


@pytest.mark.parametrize(
    "spelling",
    [
        ["cell=gru", f"{LR}=1e-3", "seed=1000"],
        [f"{LR}=0.001", "seed=1_000", "cell=gru"],
        ['cell="gru"', f"{LR}=1.0E-03", "seed=1e3"],
        ["seed=5", "cell=gru", "++seed=1000", f"+{LR}=.001"],
        ["cell=gru", f"{LR}=1e-3", "seed=1000", "name=null", "~logger"],
    ],
)
def test_a_run_is_of_its_values_however_they_are_spelt(spelling: list[str]) -> None:
    name = f"cell=gru,{LR}=0.001,seed=1000"
    assert run_name(None, spelling) == name
    ((job,),) = BasicSweeper.split_arguments(
        OverridesParser.create().parse_overrides(spelling), None
    )
    assert run_name(None, job) == name, "as Hydra hands them to the jobs of a sweep"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cell=gru", "cell='gru '"),
        ("init='1'", "init=1"),
        ("data.shrink=[0.5,1]", "data.shrink=[0.5,2]"),
        ("data.shrink=[0.5,1]", "data.shrink='[0.5,1]'"),
        ("optim.ema=true", "optim.ema='true'"),
        ("~optim.ema", "optim.ema=null"),
    ],
)
def test_other_values_are_another_run(one: str, other: str) -> None:
    assert run_name(None, [one]) != run_name(None, [other])


@pytest.mark.parametrize(
    ("typed", "former"),
    [
        (["cell=gru", f"{LR}=1e-3"], f"cell=gru,{LR}=1e-3"),
        (["+sweeps=demo", "cell=gru"], "+sweeps=demo,cell=gru"),
        (["optim.ema=true"], "optim.ema=True"),
        (
            ["+sweeps=demo", f"init={'x' * 90}", "recon=additive"],
            f"+sweeps=demo,init={'x' * 82}-105cbb7a",
        ),
    ],
)
def test_a_run_under_its_former_name_stays_where_it_is(
    tmp_path: Path, typed: list[str], former: str
) -> None:
    folder = tmp_path / "demo"
    new = run_name(None, typed, None, str(folder))
    assert new != former
    (folder / former).mkdir(parents=True)
    assert run_name(None, typed, None, str(folder)) == former
    (folder / new).mkdir()
    assert run_name(None, typed, None, str(folder)) == new, "begun since"


CONSTANT = [f"data.root={'/photos' * 9}", "trainer.val_check_interval=4000", "loss_mean=geometric"]


@pytest.mark.parametrize("varied", [["recon", "cell"], None])
def test_what_a_sweep_varies_is_in_the_name(varied: list[str] | None) -> None:
    """Sorted and cut at 100 characters, settings that all runs share took the place."""
    many = [*CONSTANT, *(f"optim.setting_{k}=12345" for k in range(9))]
    names = {
        run_name(None, [*many, f"recon={recon}", f"cell={cell}"], varied, "outputs/mine")
        for recon in ("one_shot", "additive")
        for cell in ("gru", "gru_resnet")
    }
    assert len(names) == 4
    for name in names:
        assert len(name.encode()) <= 128
        assert "recon=" in name
        assert "cell=" in name
        assert varied is None or name.startswith("cell=gru")


def test_a_grid_in_its_own_folder_is_named_by_what_varies_alone() -> None:
    job = ["+sweeps=demo_grid", "cell=gru", "recon=additive"]
    params = ["cell", "recon"]
    assert run_name(None, job, params, "outputs/demo_grid") == "cell=gru,recon=additive"
    elsewhere = run_name(None, job, params, "outputs/other")
    assert elsewhere == "cell=gru,recon=additive,sweeps=demo_grid"


def test_of_too_many_settings_the_longest_is_left_to_the_hash() -> None:
    asked = [f"data.root={'x' * 100}", "loss=l1_ms_ssim", "recon=one_shot", "seed=1"]
    name = run_name(None, asked)
    assert name.startswith("loss=l1_ms_ssim,recon=one_shot,seed=1-")
    assert name != run_name(None, [asked[0] + "y", *asked[1:]])


def test_a_long_name_fits_in_a_file_system() -> None:
    assert len(run_name("é" * 200, []).encode()) <= 128
    assert len(run_name(None, [f"init='{'é' * 200}'"]).encode()) <= 128
