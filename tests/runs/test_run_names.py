"""The same training has the same folder, however it is run (spelling: the function's examples)."""

import pytest

from rnncodec.runs.run_names import run_name


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
