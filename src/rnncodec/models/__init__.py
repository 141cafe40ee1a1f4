"""Models by name and by fingerprint: those in the package and those RNNCODEC_MODELS points to.

A released name is immutable; the same name without its number means the newest release, which
the package carries. Nothing here loads weights (except to find the fingerprint of a file that
does not state it).
"""

import json
import os
import re
from pathlib import Path

from rnncodec.errors import ModelError
from rnncodec.models.model_description import read_description

VARIABLE = "RNNCODEC_MODELS"
"""Environment variable: model files, and folders with model files, separated as in PATH."""

WEIGHTS = Path(__file__).parents[1] / "weights"
RELEASES = "releases.json"
"""In ``WEIGHTS``: the fingerprints of all releases by full name, of earlier ones too."""
SUFFIX = ".safetensors"
HISTORY = "e850741"
"""The last commit of rnncodec's repository that holds ``models/`` with all releases before it."""
DEFAULT = "compact"
"""The model that is used when none is named."""

_RELEASE = re.compile(r"(?P<name>.+)-(?P<number>\d+)")


def packaged() -> dict[str, Path]:
    """The released models in this package, by full name (``compact-0``)."""
    return {path.stem: path for path in _model_files(WEIGHTS)}


def released() -> dict[str, str]:
    """Fingerprints of all releases by full name, whether this installation carries them or not."""
    listed = WEIGHTS / RELEASES
    return dict(json.loads(listed.read_text())) if listed.is_file() else {}


def aliases() -> dict[str, str]:
    """Short names of packaged models: ``compact`` -> the newest ``compact-N``."""
    newest: dict[str, tuple[int, str]] = {}
    for full in packaged():
        if found := _RELEASE.fullmatch(full):
            release = (int(found["number"]), full)
            newest[found["name"]] = max(release, newest.get(found["name"], release))
    return {name: full for name, (_, full) in newest.items()}


def places() -> list[Path]:
    """What ``RNNCODEC_MODELS`` lists, in its order; not all of it need exist."""
    listed = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(place) for place in listed if place]


def files() -> list[Path]:
    """All model files that can be found: the packaged ones, then those of ``RNNCODEC_MODELS``."""
    own = [file for place in places() for file in _model_files(place)]
    return list(dict.fromkeys([*packaged().values(), *own]))


def catalogue() -> dict[str, Path]:
    """All full names and their files; of files of one name the first counts."""
    return dict(sorted({path.stem: path for path in reversed(files())}.items()))


def names() -> list[str]:
    """Every name :func:`path_of` knows, short ones first."""
    return list(dict.fromkeys([*aliases(), *catalogue()]))


def path_of(model: str | os.PathLike[str]) -> Path:
    """The file of a model, by its name or path; a path object is not looked up as a name.

    Raises:
        ModelError: no model has this name, and no file either, with the names there are; or the
            file that has the name of a release is another model.
    """
    if not isinstance(model, str | os.PathLike):
        raise ModelError(
            f"{type(model).__name__}: expected the name of a model, or the path of a model file"
        )
    if not isinstance(model, str):
        return Path(model)
    known = catalogue()
    name = aliases().get(model, model)
    if name in known:
        path, expected = known[name], released().get(name)  # which a release's name stands for
        if expected is not None and (got := fingerprint_of(path).hex()) != expected:
            raise ModelError(
                f"{path}: has the name of a release but not its fingerprint: expected {expected}, "
                f"got {got}. Rename it, or give its path"
            )
        return path
    if Path(model).is_file():
        return Path(model)
    if name in released():
        raise ModelError(_absent(name))
    none = "" if packaged() else "; this installation packages no model"
    raise ModelError(
        f"{model}: no such model file, and no model of this name{none}; names known here: "
        f"{', '.join(names()) or 'none'}. Name one, give the path of a model file, or put its "
        f"folder into {VARIABLE}"
    )


def find(fingerprint: bytes) -> Path:
    """The file of the model that has this fingerprint.

    Raises:
        ModelError: none has; says where it looked.
    """
    unreadable = []
    for path in files():
        try:
            if fingerprint_of(path) == fingerprint:
                return path
        except ModelError as error:
            unreadable.append(str(error))
    for name, stated in released().items():
        if stated == fingerprint.hex():
            raise ModelError(_absent(name))
    looked = ", ".join([*map(str, places()), "the packaged models"])
    raise ModelError(
        f"no model with fingerprint {fingerprint.hex()}; looked in: {looked}. Get the model file "
        f"that wrote this file and name it, or put its folder into {VARIABLE}"
        + "".join(f"; passed over {reason}" for reason in unreadable)
    )


def name_of(fingerprint: bytes) -> str | None:
    """The full name of the model with this fingerprint; that of a release without its file."""
    for name, stated in released().items():
        if stated == fingerprint.hex():
            return name
    try:
        return find(fingerprint).stem
    except ModelError:
        return None


def fingerprint_of(path: Path) -> bytes:
    """The fingerprint that a model file states, or, if it states none, has.

    Raises:
        ModelError: not a model file, damaged, or from a newer version.
    """
    stated = read_description(path)["fingerprint"]
    if stated is None:
        from rnncodec.models import model_file  # takes torch

        return model_file.load(path).fingerprint()
    try:
        return bytes.fromhex(stated)
    except ValueError as error:
        raise ModelError(f"{path}: its description is damaged ({error})") from error


def _absent(name: str) -> str:
    file = f"{name}{SUFFIX}"
    return (
        f"{name} is an earlier release, which the package does not carry. In a clone of rnncodec, "
        f"`git show {HISTORY}:models/{file} > {file}` brings it back; then put its folder into "
        f"{VARIABLE}"
    )


def _model_files(place: Path) -> list[Path]:
    try:
        if place.is_file():
            return [place]
        return sorted(path for path in place.glob(f"*{SUFFIX}") if path.name[0] != ".")
    except PermissionError:
        return []
