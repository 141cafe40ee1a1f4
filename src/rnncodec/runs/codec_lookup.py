"""Which codec ``codec=`` means: that of a model file, or one among the runs of a finished grid."""

from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig

from rnncodec.errors import ConfigError
from rnncodec.models.model_description import part_name, read_description
from rnncodec.network import families
from rnncodec.runs.run_directory import MODEL
from rnncodec.runs.run_settings import leaves, settings

FACTORS = ("cell", "recon")
SOURCE = ("data", "data.root", "data.weights")


def codec_file(cfg: DictConfig) -> Path:
    """The model file of ``codec=``.

    In a folder of runs it is the one codec, without entropy model, of this ``cell``, ``recon``
    and, where several seeds were trained, ``seed``, whatever its run is called. There, the data
    has to be what that codec was trained with.

    Raises:
        ConfigError: none, or several; other data.
        ModelError: a model file in the folder cannot be read.
    """
    given = Path(cfg.codec)
    if not given.is_dir():
        return given
    names = {name: families.name_of(get_class(cfg[name]._target_)) for name in FACTORS}
    wanted = " ".join(f"{name}={value}" for name, value in names.items())
    found = {
        path: description
        for path in sorted(given.glob(f"*/{MODEL}"))
        if (description := read_description(path))["entropy"] is None
        and all(part_name(description["network"][name]) == names[name] for name in FACTORS)
    }
    if len(found) > 1:
        found = {path: one for path, one in found.items() if noted(one).get("seed") == cfg.seed}
        wanted += f" seed={cfg.seed}"
    if len(found) != 1:
        listed = ": " + ", ".join(path.parent.name for path in found) if found else ""
        raise ConfigError(
            f"codec={given} has {len(found)} finished codecs of {wanted}, expected one{listed}; "
            "finish that grid first, or give the model file itself, as in codec=PATH/" + MODEL
        )
    ((path, description),) = found.items()
    check_data(cfg, path, noted(description))
    return path


def noted(description: dict[str, Any]) -> dict[str, Any]:
    """What a model file says of its run's settings."""
    return dict(description["notes"].get("settings", {}))


def check_data(cfg: DictConfig, codec: Path, trained: dict[str, Any]) -> None:
    """Refuse other photographs than those that the codec was trained with."""
    asked = dict(leaves({"data": settings(cfg)["data"]}))
    before = dict(leaves({"data": trained["data"]})) if "data" in trained else asked
    for name in SOURCE:
        if before.get(name) != asked.get(name):
            raise ConfigError(
                f"{codec} was trained with {name}={before.get(name)}, its entropy model would be "
                f"with {name}={asked.get(name)}; give the same data= and data.root=, and an eval= "
                "and entropy_fit.max_time= that are worth it"
            )
