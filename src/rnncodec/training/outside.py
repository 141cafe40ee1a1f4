"""What a run takes from outside the package: parts, metrics and callbacks of the user's own.

``build`` is what makes a node of the configuration an object (see :mod:`rnncodec.experiment`).
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf

from rnncodec import plugins
from rnncodec.errors import ConfigError
from rnncodec.evaluation.codecs import images_of
from rnncodec.evaluation.metrics import check_names
from rnncodec.runs.codec_lookup import target
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.dry_pass import check_metrics, dry_pass

Build: TypeAlias = Callable[[Any], Any]


def give_parts(cfg: DictConfig) -> None:
    """Make the classes from outside that this run is made of known, as model files name them."""
    given = [target(cfg, group) for group in ("cell", "recon", "entropy")]
    if "binarizer" in cfg.model:
        given.append(target(cfg.model, "binarizer"))
    plugins.give(*given)


def rehearse(cfg: DictConfig, build: Build, module: CodecModule | None = None) -> None:
    """Try what is from outside, once, before anything is trained.

    Raises:
        RNNCodecError: a part that does not do what it has to.
    """
    outside = list(plugins.targets(OmegaConf.to_container(cfg, resolve=True)))
    if not outside and not cfg.get("metrics"):
        return
    with plugins.refusing(f"eval={cfg.eval._target_}: expected names and paths of pictures"):
        images_of(build(cfg.eval))
    check_metrics(own_metrics(cfg, build))
    own_callbacks(cfg, build)
    if module is not None:
        dry_pass(module)


def own_metrics(cfg: DictConfig, build: Build) -> list[str]:
    """The names of the user's metrics, of which what ``metrics`` builds is known from here on."""
    given = built(cfg, "metrics", build)
    plugins.give(**{name: metric for name, metric in given.items() if metric is not None})
    check_names(list(given))
    return list(given)


def own_callbacks(cfg: DictConfig, build: Build) -> list[Callback]:
    """The user's callbacks, in the order of their names; ConfigError for something else."""
    given = built(cfg, "callbacks", build)
    for name, callback in given.items():
        if not isinstance(callback, Callback):
            raise ConfigError(f"callbacks.{name}: expected a Callback, got {callback!r}")
    return list(given.values())


def built(cfg: DictConfig, group: str, build: Build) -> dict[str, Any]:
    """What the options of a group without any of ours stand for, by name."""
    nodes = cfg.get(group) or {}
    return {str(name): build(nodes[name]) for name in sorted(nodes)}
