"""What a grid of runs varies (cell, reconstruction, entropy model), and the name of the grid."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_class
from omegaconf import DictConfig

from rnncodec.models.model_description import part_name, read_description
from rnncodec.network import families
from rnncodec.runs.preflight import entropy_name
from rnncodec.runs.run_directory import SHARED, RunFiles

CODEC = ("cell", "recon")


def factors(cfg: DictConfig, files: RunFiles) -> dict[str, str]:
    """The names of a run's ``cell``, ``recon`` and ``entropy``, as on the command line.

    Those of the codec come from the model file where there is one, since with ``codec=`` the
    configuration's own say nothing.

    Raises:
        ModelError: the model file cannot be read.
    """
    source = files.model if files.model.exists() else cfg.codec
    if source is None:
        codec = {name: families.name_of(get_class(cfg[name]._target_)) for name in CODEC}
    else:
        network = read_description(source)["network"]
        codec = {name: str(part_name(network[name])) for name in CODEC}
    return {**codec, "entropy": entropy_name(cfg)}


def sweep_name() -> str | None:
    """The folder of the sweep this run belongs to; None for a run by itself.

    A grid typed on the command line without a folder of its own has no name either: its runs
    lie among all others.
    """
    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    folder = Path(hydra.sweep.dir)
    alone = hydra.mode != RunMode.MULTIRUN or folder.resolve() == Path(SHARED).resolve()
    return None if alone else folder.name
