"""What the command line needs beside Hydra: ``~``, the folder of sweeps, and settings unread."""

import re
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError

HOME = re.compile(r"(?<=[=,\[])~(?=[/,\]]|$)")

OUTSIDE_GROUPS = ("metrics", "callbacks")
"""Groups without an option of ours."""

GROUP = "sweeps"
SCHEME = "file://"
MAIN = "main"
"""Hydra's name for the folder of the primary configuration, which is ``conf/``."""


def with_home(arguments: list[str]) -> list[str]:
    """The arguments with the home folder for ``~`` wherever a value begins with it.

    The shell leaves it as it is in ``data.root=~/photos``, and Hydra's grammar does not know it.
    In front of a name, it still means that the setting is taken away.

    >>> home = str(Path.home())
    >>> with_home(["~logger", "data.root=~/photos"]) == ["~logger", f"data.root={home}/photos"]
    True
    """
    return [HOME.sub(lambda _: str(Path.home()), argument) for argument in arguments]


class BesideConf(SearchPathPlugin):
    """Has Hydra look for groups in the folder that holds ``conf/``, too: there is ``sweeps/``."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append that folder, whatever the working directory."""
        for element in list(search_path.get_path()):
            path = element.path.removeprefix(SCHEME)
            if element.provider == MAIN and "://" not in path:
                search_path.append("rnncodec", SCHEME + str(Path(path).resolve().parent))


def register_sweeps() -> None:
    """Have Hydra find the sweeps; to be called before Hydra starts."""
    Plugins.instance().register(BesideConf)


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
    if not HydraConfig.initialized():
        return
    hydra = HydraConfig.get()
    task = OmegaConf.to_container(hydra.overrides.task) or ()
    for override in OverridesParser.create().parse_overrides([str(each) for each in task]):
        key = override.key_or_group
        if not override.is_add() or "." in key or key not in cfg or key in OUTSIDE_GROUPS:
            continue
        # another setting may be made of it, as in ${key} or ${oc.select:key,1}
        use = re.compile(rf"(\$\{{|oc\.select:){re.escape(key)}[.\[,}}]")
        if not any(use.search(OmegaConf.to_yaml(settings)) for settings in (cfg, hydra)):
            raise ConfigError(
                f"+{key}={cfg[key]}: nothing reads a setting of this name; leave it out, or name "
                "an existing one (python train.py --help)"
            )
