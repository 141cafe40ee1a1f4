"""Where the sweeps are: beside ``conf/``, whatever the working directory."""

import re
from collections.abc import Iterator
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError

GROUP = "sweeps"
SCHEME = "file://"
MAIN = "main"
"""Hydra's name for the folder of the primary configuration, which is ``conf/``."""


class BesideConf(SearchPathPlugin):
    """Has Hydra look for groups in the folder that holds ``conf/``, too: there is ``sweeps/``."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append that folder."""
        for element in list(search_path.get_path()):
            if element.provider == MAIN and "://" not in element.path.removeprefix(SCHEME):
                search_path.append("rnncodec", SCHEME + str(conf_of(element.path).parent))


def register() -> None:
    """Tell Hydra of it; to be called before Hydra starts."""
    Plugins.instance().register(BesideConf)


def conf_of(source: str) -> Path:
    """The folder of a configuration source."""
    return Path(source.removeprefix(SCHEME)).resolve()


def check_read(cfg: DictConfig) -> None:
    """Refuse a setting that was added on the command line and that nothing reads.

    Hydra makes a plain setting of a group that it does not find: ``+sweep=demo_grid`` would be
    one training with the settings of none.

    Raises:
        ConfigError: names it.
    """
    if GROUP in cfg:  # from wherever
        raise ConfigError(
            f"{GROUP}={cfg[GROUP]}: not found, expected a folder {GROUP}/ with {cfg[GROUP]}.yaml "
            "beside conf/; start the train.py of a complete clone"
        )
    for key in added():
        if key in cfg and not interpolated(key, cfg, HydraConfig.get()):
            raise ConfigError(
                f"+{key}={cfg[key]}: nothing reads a setting of this name; leave it out, or name "
                "an existing one (python train.py --help)"
            )


def interpolated(key: str, *where: DictConfig) -> bool:
    """Whether another setting is made of it, as in ``${key}`` or ``${oc.select:key,1}``."""
    use = re.compile(rf"(\$\{{|oc\.select:){re.escape(key)}[.\[,}}]")
    return any(use.search(OmegaConf.to_yaml(cfg)) for cfg in where)


def added() -> Iterator[str]:
    """The names of settings, not those inside of others, that the command line added by ``+``."""
    if not HydraConfig.initialized():
        return
    task = OmegaConf.to_container(HydraConfig.get().overrides.task)
    for override in OverridesParser.create().parse_overrides([str(each) for each in task or ()]):
        if override.is_add() and "." not in override.key_or_group:
            yield override.key_or_group
