"""Packages are stacked: none imports what lies above it or beside it."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path("src/rnncodec")
FLOORS = (
    {"errors", "geometry", "rng_streams", "version"},
    {"plugins", "validation"},
    {"bitstream", "entropy", "images", "machine"},
    {"data", "network"},
    {"coding", "models", "prepare"},
    {"codec", "runs"},
    {"evaluation", "pillow"},
    {"comparison"},
    {"commands", "training"},
    {"cli", "experiment"},
)
"""From the ground up."""

NO_ROOMS = {"__init__", "__main__"}
"""``rnncodec`` itself only hands on names, ``python -m rnncodec`` only starts `cli`."""


def test_every_package_has_its_floor() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - NO_ROOMS
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert modules | packages == set().union(*FLOORS)


def test_imports_lead_down() -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE)
        room = inside.parts[0].removesuffix(".py")
        others = [] if room in NO_ROOMS else sorted(rooms(path, floor) - {room})
        wrong += [f"{inside}: {other}" for other in others if floor[other] >= floor[room]]
    assert not wrong


def rooms(path: Path, known: dict[str, int]) -> set[str]:
    """The packages and modules of ours that a file imports, at its top or later."""
    names = [name.split(".") for name in imported(ast.parse(path.read_text()))]
    return {name[1] for name in names if name[0] == "rnncodec" and name[1] in known}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (f"{alias.name}." for alias in node.names)


def test_the_working_tree_is_light() -> None:
    """At most 64 MB: it travels to other machines as it is, and history has earlier weights."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no clone: a source archive")
    files = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    assert sum(file.stat().st_size for file in files if file.is_file()) < 64e6
