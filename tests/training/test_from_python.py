"""docs/guides/from-python.md: a plain Trainer, without Hydra."""

import re
import warnings
from pathlib import Path

import pytest
import torch

from rnncodec.codec import Codec
from rnncodec.errors import DataError
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.losses import L1

GUIDE = Path("docs/guides/from-python.md").absolute()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The names that the guide's program leaves."""
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, about workers and its own dependencies
        patch.chdir(tmp_path_factory.mktemp("guide"))
        exec(compile(program, str(GUIDE), "exec"), names)
        names["loaded"] = CodecModule.load_from_checkpoint("codec.ckpt")
    return names


def test_the_guide_gives_a_codec(trained: dict) -> None:
    assert isinstance(trained["codec"], Codec)
    assert trained["trainer"].global_step == 8
    rate = trained["trainer"].optimizers[0].param_groups[0]["lr"]
    assert rate == pytest.approx(0, abs=1e-9), "the cosine has ended"


def test_a_checkpoint_is_the_module_again(trained: dict) -> None:
    x = torch.rand(2, 3, 32, 48) - 0.5
    with torch.inference_mode():
        again, before = trained["loaded"].eval()(x), trained["module"].eval()(x)
    assert before.shape == (2, 4, 3, 32, 48)
    torch.testing.assert_close(again, before)


def test_a_constant_rate_without_a_scheduler() -> None:
    network = Network(GRU, Additive, width=0.125, iterations=2)
    module = CodecModule(
        network, L1(), lambda named: torch.optim.SGD([p for _, p in named], lr=0.5), seed=0
    )
    assert isinstance(module.configure_optimizers(), torch.optim.SGD)


def test_what_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"no checkpoint")
    torch.save({"state_dict": {}}, tmp_path / "b.ckpt")
    for name in ("a.ckpt", "b.ckpt", "none.ckpt"):
        with pytest.raises(DataError, match=f"{name}: cannot be read as a codec's checkpoint"):
            CodecModule.load_from_checkpoint(tmp_path / name)
