"""What of the command line has to be made ready for Hydra."""

import re
from pathlib import Path

HOME = re.compile(r"(?<=[=,\[])~(?=[/,\]]|$)")


def with_home(arguments: list[str]) -> list[str]:
    """The arguments with the home folder for ``~`` wherever a value begins with it.

    The shell leaves it as it is in ``data.root=~/photos``, and Hydra's grammar does not know it.
    In front of a name, it goes on meaning that the setting is taken away.

    >>> home = str(Path.home())
    >>> with_home(["~logger", "data.root=~/photos"]) == ["~logger", f"data.root={home}/photos"]
    True
    """
    return [HOME.sub(lambda _: str(Path.home()), argument) for argument in arguments]
