"""Which cell, reconstruction, entropy model and given codec a configuration means."""

from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig

from rnncodec import plugins
from rnncodec.errors import ConfigError
from rnncodec.models.model_description import part_name, read_description
from rnncodec.runs.run_directory import MODEL, RunFiles
from rnncodec.runs.run_settings import leaves, settings

CODEC = ("cell", "recon")
SOURCE = ("data", "data.root", "data.weights")
NO_ENTROPY = "none"


def target(cfg: DictConfig, group: str) -> Any:
    """What a group's ``_target_`` names, a class or a function.

    Raises:
        ConfigError: it is not there.
    """
    path = cfg[group].get("_target_")
    try:
        return get_object(path)
    except Exception as error:  # whatever the user's module does when it is imported
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{group}._target_={path}: cannot be imported; install its package, or put its folder "
            f"into PYTHONPATH ({type(error).__name__}: {reason})"
        ) from error


def entropy_name(cfg: DictConfig) -> str:
    """The name of the entropy model, as in ``entropy=``."""
    return plugins.name_of(target(cfg, "entropy"))


def codec_names(cfg: DictConfig) -> dict[str, str]:
    """The names of the codec's parts, as in ``cell=`` and ``recon=``."""
    return {name: plugins.name_of(target(cfg, name)) for name in CODEC}


def factors(cfg: DictConfig, files: RunFiles) -> dict[str, str]:
    """What a grid varies: the names of a run's ``cell``, ``recon`` and ``entropy``.

    Those of the codec come from the model file where there is one, since with ``codec=`` the
    configuration's own say nothing.

    Raises:
        ModelError: the model file cannot be read.
    """
    source = files.model if files.model.exists() else cfg.codec
    if source is None:
        codec = codec_names(cfg)
    else:
        network = read_description(source)["network"]
        codec = {name: str(part_name(network[name])) for name in CODEC}
    return {**codec, "entropy": entropy_name(cfg)}


def codec_file(cfg: DictConfig) -> Path:
    """The model file of ``codec=``: itself, or one among the runs of a finished grid.

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
    names = codec_names(cfg)
    wanted = " ".join(f"{name}={value}" for name, value in names.items())
    found: dict[Path, dict[str, Any]] = {}
    for path in sorted(given.glob(f"*/{MODEL}")):
        description = read_description(path)
        network = description["network"]
        if description["entropy"] is None and all(
            part_name(network[name]) == names[name] for name in CODEC
        ):
            found[path] = dict(description["notes"].get("settings", {}))
    if len(found) > 1:
        found = {
            path: trained for path, trained in found.items() if trained.get("seed") == cfg.seed
        }
        wanted += f" seed={cfg.seed}"
    if len(found) != 1:
        listed = ": " + ", ".join(path.parent.name for path in found) if found else ""
        raise ConfigError(
            f"codec={given} has {len(found)} finished codecs of {wanted}, expected one{listed}; "
            "finish that grid first, or give the model file itself, as in codec=PATH/" + MODEL
        )
    ((path, trained),) = found.items()
    check_data(cfg, path, trained)
    return path


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
