"""What is known by a name, and that nothing else is imported."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image
from tests.plugins import parts

from rnncodec import plugins
from rnncodec.errors import ConfigError, ModelError, RNNCodecWarning
from rnncodec.evaluation import metrics
from rnncodec.evaluation.codecs import EvaluatedModel, ImageFile
from rnncodec.evaluation.prefixes import chosen_baselines
from rnncodec.evaluation.runner import EvaluationSpec, run
from rnncodec.images.distortion import check_weights, outside_part, weighted_sum
from rnncodec.models import model_file
from rnncodec.network import cells
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.families import by_name, subclass_of
from rnncodec.network.recon.additive import Additive


class Other(parts.Plain):
    name = "Plain"


CELL = subclass_of(cells.Cell)
OWN = "tests.plugins.parts"


def installed(site: Path, package: str, source: str, **groups: dict[str, str]) -> None:
    """A package of one module with entry points, as pip leaves it."""
    info = site / f"{package}-1.2.dist-info"
    info.mkdir(parents=True)
    (site / f"{package}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    text = ""
    for group, entries in groups.items():
        text += f"[rnncodec.{group}]\n"
        text += "".join(f"{name} = {value}\n" for name, value in entries.items())
    (info / "entry_points.txt").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_module_gives_what_it_defines() -> None:
    plugins.give(OWN)
    assert plugins.find("cells", "Plain", CELL) is parts.Plain
    assert plugins.find("cells", "GRU", CELL) is None, "which it only imports"
    assert plugins.find("cells", "nothing", CELL) is None
    assert "Unfinished" in plugins.names("cells", CELL)


def test_names_are_of_the_class_unless_it_says_another() -> None:
    assert plugins.name_of(parts.Steep) == "Steep"
    assert plugins.name_of(Other) == "Plain"
    with pytest.raises(ConfigError, match="has no name; give it an attribute name, a text"):
        plugins.give(parts.Steep(8))


def test_two_of_one_name_are_refused() -> None:
    plugins.give(parts.Plain)
    message = (
        rf"cells: {OWN}\.Plain and {__name__}\.Other have the same name, 'Plain'; uninstall one"
    )
    with pytest.raises(ConfigError, match=message):
        Network(Other, Additive, width=0.125)


def test_a_module_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigError, match=r"plugin no\.such: cannot be imported .*PYTHONPATH"):
        plugins.give("no.such")


def test_the_variable_names_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, f"{OWN},")
    assert by_name(cells, cells.Cell, "Plain") is parts.Plain


def test_an_unknown_name_lists_all() -> None:
    plugins.give(parts.Plain)
    with pytest.raises(ConfigError, match=r"cells: no 'lstn'; .* gru_resnet, lstm, Plain"):
        by_name(cells, cells.Cell, "lstn")


def test_an_entry_point_is_imported_when_its_name_is_asked_for(site: Path) -> None:
    installed(
        site, "quietlab", "from rnncodec.network.cells.gru import GRU\nclass Quiet(GRU): pass\n",
        cells={"Quiet": "quietlab:Quiet"},
    )  # fmt: skip
    assert "Quiet" in plugins.names("cells", CELL)
    by_name(cells, cells.Cell, "gru")
    assert "quietlab" not in sys.modules
    assert plugins.find("cells", "Quiet", CELL).__module__ == "quietlab"
    assert plugins.origin("quietlab.Quiet") == {
        "class": "quietlab.Quiet", "package": "quietlab", "version": "1.2",
    }  # fmt: skip
    plugins.give(sys.modules.pop("quietlab").Quiet)
    assert plugins.find("cells", "Quiet", CELL) is not None, "one, in two ways"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise OSError('no GPU')", r"Cell = badlab:Cell in rnncodec\.cells of badlab 1\.2: cann"),
        ("Cell = 5", "is 5, expected something of cells that is named 'Cell'; mend"),
        ("from tests.plugins.parts import Plain as Cell", "that is named 'Cell'; mend the packa"),
    ],
)
def test_a_wrong_entry_point_is_named(site: Path, source: str, message: str) -> None:
    installed(site, "badlab", source, cells={"Cell": "badlab:Cell"})
    with pytest.raises(ConfigError, match=message):
        plugins.find("cells", "Cell", CELL)
    sys.modules.pop("badlab", None)
    assert by_name(cells, cells.Cell, "gru").__name__ == "GRU", "ours do not depend on it"


def test_metrics_and_baselines_are_chosen_by_name(site: Path) -> None:
    source = (
        "from tests.plugins.parts import lightness\nfrom rnncodec.evaluation import baselines\n"
    )
    source += "ppm = baselines.Baseline('ppm', 'PPM', (1.0,), (1.0,))\n"
    source += "class psnr_rgb:\n    def __call__(self, a, b): return a\n"
    installed(
        site, "measurelab", source,
        metrics={"lightness": "measurelab:lightness", "psnr_rgb": "measurelab:psnr_rgb"},
        baselines={"ppm": "measurelab:ppm"},
    )  # fmt: skip
    metrics.check_names(["lightness"])
    picture = torch.full((1, 3, 16, 16), 7, dtype=torch.uint8)
    assert metrics.extra_metric("lightness", picture, picture) == 7
    assert metrics.tabled(["lightness"])[-1] == "lightness"
    with pytest.raises(ConfigError, match="metrics: 'psnr_rgb' is the name of a part of rnncodec"):
        metrics.check_names(["psnr_rgb"])
    with pytest.raises(ConfigError, match=r"no such metric; choose among visual_.*, lightness, p"):
        metrics.check_names(["sharpness"])
    (found,), _ = chosen_baselines("ppm")
    assert found.name == "ppm"
    assert "ppm" not in {codec.name for codec in chosen_baselines("all")[0]}
    with pytest.raises(ConfigError, match=r"no 'pgm'; choose among .*, ppm, or all, or none"):
        chosen_baselines("pgm")


def test_a_function_may_be_a_part_of_a_loss(site: Path) -> None:
    source = "def cubed(x, y): return (x - y).abs().pow(3).mean()\n"
    installed(site, "losslab", source, losses={"cubed": "losslab:cubed"})
    outside_part.cache_clear()
    weights = check_weights({"cubed": 2.0, "l1": 1.0})
    x = torch.full((1, 3, 32, 32), 0.5)
    assert weighted_sum(x, torch.zeros_like(x), weights).item() == 2 * 0.125 + 0.5
    with pytest.raises(ConfigError, match=r"loss part 'squared': expected one of l1, .*, cubed"):
        check_weights({"squared": 1.0})


def test_a_model_file_names_classes_and_imports_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    network = Network(parts.Plain, parts.Halving, width=0.125, iterations=2)
    model_file.save(path, model_file.Model(network))
    again = model_file.load(path)
    assert again.fingerprint() == model_file.Model(network).fingerprint()
    monkeypatch.setattr(plugins, "_given", {})
    with pytest.raises(ModelError, match=rf"{OWN}\.Plain of a package that was not installed, .*"):
        model_file.load(path)
    plugins.give(Other, parts.Halving)
    with pytest.warns(
        RNNCodecWarning, match=rf"made with {OWN}\.Plain; {__name__}\.Other, which has"
    ):
        model_file.load(path)


def test_a_worker_process_knows_the_parts_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    model_file.save(path, model_file.Model(Network(parts.Plain, Additive, width=0.125)))
    sent = pickle.dumps(EvaluatedModel("mine", path))
    monkeypatch.setattr(plugins, "_given", {})  # as where it arrives
    assert type(pickle.loads(sent).codec.model.network.decoder.cells[0]) is parts.Plain


def test_what_a_part_has_beside_its_weights_is_there_after_loading(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    network = Network(parts.Buffered, Additive, width=0.125, iterations=1)
    model_file.save(path, model_file.Model(network))
    before = torch.random.get_rng_state()
    cell = model_file.load(path).network.decoder.cells[0]
    assert cell.shift.tolist() == [0.5]
    assert torch.equal(cell.W.weight, network.decoder.cells[0].W.weight)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "forged",
    [
        {"group": "cells", "name": "os", "class": "os; import sys"},
        {"group": "metrics", "name": "x", "class": "x.x"},
        {"group": "cells", "name": "x"},
        {"group": "cells", "name": "x" * 300, "class": "x.x"},
        "os.system",
    ],
)
def test_a_forged_origin_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forged: object
) -> None:
    path = tmp_path / "model.safetensors"
    monkeypatch.setattr(model_file, "plugins_of", lambda _: [forged])
    network = Network(GRU, Additive, width=0.125, iterations=1)
    model_file.save(path, model_file.Model(network))
    with pytest.raises(ModelError, match=r"its description is damaged .*plugins: "):
        model_file.load(path)


def test_models_of_our_parts_say_nothing_of_plugins(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    network = Network(GRU, Additive, width=0.125, iterations=1)
    model_file.save(path, model_file.Model(network))
    assert b'"plugins"' not in path.read_bytes()[:2000]


def test_a_class_defined_anew_takes_the_place_of_the_first() -> None:
    """As in a notebook, where a cell is run again."""
    for _ in range(2):
        module = ModuleType("notebook")
        exec("class Note: pass", vars(module))
        plugins.give(module)
    assert plugins.find("cells", "Note", lambda value: isinstance(value, type)) is module.Note


class Broken:
    """A baseline whose files cannot be read back."""

    name = "broken"
    suffix = None

    def identity(self) -> dict[str, str]:
        return {"baseline": "broken"}

    def code(self, image: object) -> Iterator[object]:
        yield from ()
        raise KeyError("table")


def test_what_fails_in_an_evaluation_is_the_reason_of_its_row(
    tmp_path: Path, picture: Path
) -> None:
    plugins.give(Broken, mine=parts.raises)
    (broken, webp), _ = chosen_baselines("broken,webp")
    found = run(EvaluationSpec([broken, webp], [ImageFile("a", picture)], tmp_path, ["mine"]))
    reasons = {row.codec: row.reason for row in found.results}
    assert reasons["broken"] == "plug-in: KeyError: 'table'"
    assert "mine: plug-in: ZeroDivisionError: no edges" in reasons["webp"]
