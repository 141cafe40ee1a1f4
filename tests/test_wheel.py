"""The wheel codes pictures where only its own dependencies can be imported."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROGRAM = """
import importlib.abc, io, os, sys
library, forbidden, model = sys.argv[1], set(sys.argv[2].split(",")), sys.argv[3]

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, library)
import rnncodec, rnncodec.pillow
from PIL import Image
from rnncodec.cli import main
assert rnncodec.__file__.startswith(library), rnncodec.__file__
codec = rnncodec.load(model)
image = Image.effect_noise((50, 40), 80)
data = codec.encode(image)
assert codec.decode(data).size == image.size
assert Image.open(io.BytesIO(data)).convert("RGB").size == image.size
image.save("a.png")
for arguments in (["compress", "a.png", "--model", model], ["decompress", "a.rnc", "b.png"]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as stopped:
        assert stopped.code == 0, arguments
assert Image.open("b.png").size == image.size
"""

EVALUATION = (
    PROGRAM.partition("import rnncodec, ")[0]
    + """
from PIL import Image
from rnncodec.cli import main
os.mkdir("pictures")
Image.effect_noise((200, 180), 80).save("pictures/a.png")
sys.argv[1:] = ["evaluate", "--model", model, "--baselines", "jpeg-420", "--images", "pictures"]
sys.argv += ["--out", "out", "--workers", "1"]
main()
"""
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network from a copy (building leaves files in the source)."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def test_what_is_in_it(wheel: Path) -> None:
    found = set(zipfile.ZipFile(wheel).namelist())
    data = {"py.typed", "bitstream/FORMAT.md", "weights/README.md"}
    data |= {f"weights/{path.name}" for path in (ROOT / "src/rnncodec/weights").iterdir()}
    assert {f"rnncodec/{name}" for name in data} <= found
    sources = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src").rglob("*.py")}
    assert sources <= found


def test_it_codes_without_the_extras(wheel: Path, tiny, tmp_path: Path) -> None:
    forbidden = modules_outside(distributions())
    assert {"lightning", "hydra", "omegaconf", "wandb", "matplotlib", "scipy"} <= forbidden
    assert not {"torch", "numpy", "PIL", "typer", "rich"} & forbidden
    done = run(PROGRAM, wheel, forbidden, tmp_path)
    assert done.returncode == 0, done.stderr


def test_it_evaluates_without_what_training_needs(wheel: Path, tiny, tmp_path: Path) -> None:
    forbidden = modules_outside(distributions("eval"))
    assert {"lightning", "hydra", "omegaconf", "wandb", "statsmodels"} <= forbidden
    assert not {"torch", "matplotlib", "scipy"} & forbidden
    done = run(EVALUATION, wheel, forbidden, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/report.html").exists()


def run(
    program: str, wheel: Path, forbidden: set[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """A program with the wheel and the tiny model, where forbidden modules are absent."""
    library = folder / "library"
    zipfile.ZipFile(wheel).extractall(library)
    model = folder / "shelf" / "tiny.safetensors"
    arguments = [str(library), ",".join(sorted(forbidden)), str(model)]
    return subprocess.run(
        [sys.executable, "-I", "-c", program, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def distributions(*extras: str) -> set[str]:
    """The project's dependencies with some extras, and theirs, as installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, found = list(project["dependencies"]), set()
    for extra in extras:
        waiting += project["optional-dependencies"][extra]
    while waiting:
        requirement = Requirement(waiting.pop())
        name = normal(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if name not in found and applies:
            found.add(name)
            waiting += metadata.requires(name) or []
    return found


def modules_outside(distributions: set[str]) -> set[str]:
    """Importable top-level names that none of the distributions provides."""
    provided = metadata.packages_distributions()
    return {
        module
        for module, owners in provided.items()
        if module != "rnncodec" and not distributions & {normal(owner) for owner in owners}
    }


def normal(name: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()
