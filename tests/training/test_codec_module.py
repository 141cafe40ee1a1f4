"""The training step on a GPU, where there is one."""

import pytest
import torch

from rnncodec.cells.gru_resnet import GRUResNet
from rnncodec.devices import autocast
from rnncodec.network import Network
from rnncodec.recon.scaled_additive import ScaledAdditive
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.losses import L1


def module_on(device: str, monkeypatch: pytest.MonkeyPatch) -> CodecModule:
    """The training module; nothing is logged, since there is no trainer."""
    torch.manual_seed(0)
    network = Network(GRUResNet, ScaledAdditive, width=0.125, iterations=3)
    module = CodecModule(network, L1(), torch.optim.Adam, seed=0).to(device)
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    return module


def batch_on(device: str) -> dict[str, torch.Tensor]:
    image = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return {"image": image.to(device, torch.uint8), "index": torch.arange(2, device=device)}


def test_every_parameter_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    module, batch = module_on("cpu", monkeypatch), batch_on("cpu")
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimizer = module.configure_optimizers()
    module.training_step(batch, 0).backward()
    optimizer.step()
    moved = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert moved == set(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
class TestOnGPU:
    """What a step must do there."""

    def test_a_step_never_waits_for_the_device(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module, batch = module_on("cuda", monkeypatch), batch_on("cuda")
        optimizer = module.configure_optimizers()

        def step() -> None:
            with autocast("cuda"):
                loss = module.training_step(batch, 0)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        step()  # the first one loads libraries
        torch.cuda.set_sync_debug_mode("error")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def test_the_loss_is_that_of_the_cpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        losses = [
            float(module_on(device, monkeypatch).training_step(batch_on(device), 0))
            for device in ("cpu", "cuda")
        ]
        assert losses[1] == pytest.approx(losses[0], rel=1e-2)
