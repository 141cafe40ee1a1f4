"""Before a training with parts from outside: all that a run does, once, on a few pixels.

What a part does wrong is then one message in the first second, and not the end of a long training.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnncodec.codec import Codec
from rnncodec.data.contract import kind_of
from rnncodec.entropy import EntropyModel, quantize
from rnncodec.errors import ConfigError
from rnncodec.evaluation.metrics import outside_metric
from rnncodec.geometry import BITS, BLOCK
from rnncodec.images.pixels import from_uint8
from rnncodec.models import model_file
from rnncodec.network.autoencoder import Network
from rnncodec.network.unroll import unroll
from rnncodec.plugins import is_outside, name_of, path_of, refusing
from rnncodec.training.codec_module import CodecModule, built, uniform

SIDE = 32
"""Of the crop, in pixels, where the loss needs no larger one."""
ITERATIONS = 2
STEP = 2**-16
"""Of probabilities in integers."""


def dry_pass(module: CodecModule) -> None:
    """Build, save, load, train a step, encode and decode; the module stays as it is.

    Raises:
        ConfigError: names the part, what it gave, and what was expected.
    """
    with torch.random.fork_rng(devices=[]), TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        with refusing("the model with these parts cannot be saved and loaded"):
            model_file.save(path, model_file.Model(module.network))
            network = model_file.load(path).network
        for cell in [*network.encoder.cells, *network.decoder.cells]:
            if is_outside(cell):
                check_cell(cell)
        check_step(network, module)
        check_coding(network)


def check_cell(cell: Any) -> None:
    """Refuse a cell whose outputs are not what :class:`rnncodec.network.cells.Cell` promises."""
    name = f"cell={path_of(type(cell))}"
    side = 8 // cell.stride
    wanted = (1, cell.out_channels, side, side)
    state = None
    for _ in range(ITERATIONS):
        with refusing(f"{name}: forward(x, {'None' if state is None else 'state'})"):
            result = cell(torch.rand(1, cell.in_channels, 8, 8), state)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ConfigError(f"{name}: forward gave {kind_of(result)}, expected (y, state)")
        y, state = result
        if not isinstance(y, Tensor) or y.shape != wanted or y.dtype != torch.float32:
            raise ConfigError(
                f"{name}: forward gave a y of {kind_of(y)} for an x of (1, {cell.in_channels}, 8, "
                f"8) and stride {cell.stride}, expected float32 {wanted}: (B, out_channels, "
                "H/stride, W/stride)"
            )
        if not isinstance(state, tuple) or not all(isinstance(each, Tensor) for each in state):
            raise ConfigError(
                f"{name}: forward gave a state of {kind_of(state)}, expected a tuple of tensors"
            )


def check_step(network: Network, module: CodecModule) -> None:
    """Refuse a reconstruction, binarizer, loss or optimiser that one step shows to be wrong."""
    side = -(-max(SIDE, getattr(module.loss, "least_side", 1)) // BLOCK) * BLOCK
    iterations = min(ITERATIONS, network.iterations)
    x = from_uint8(torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8))
    places = (network.iterations, BITS, side // BLOCK, side // BLOCK)
    noise = uniform(0, torch.tensor([0]), places) if module.stochastic else None
    recon, binarizer = (path_of(type(part)) for part in (network.recon, network.binarizer))
    losses = []
    with refusing(f"one step of training with recon={recon} and binarizer={binarizer}"):
        for step in unroll(network, x, iterations=iterations, noise=noise):
            check_tensor(f"binarizer={binarizer}: gave a code", step.code, places[1:])
            if not bool((step.code.abs() == 1).all()):
                raise ConfigError(f"binarizer={binarizer}: expected codes of -1 and +1")
            check_tensor(f"recon={recon}: combine gave a picture", step.x_hat, x.shape[1:])
            losses.append(checked_loss(module.loss, x, step.x_hat))
        torch.stack(losses).mean().backward()
        built(module.optimizer, network, group="optim").step()


def check_tensor(what: str, value: Any, shape: Sequence[int]) -> None:
    """Refuse what is no float32 of this shape for a batch of one."""
    if not isinstance(value, Tensor) or value.shape != (1, *shape) or value.dtype != torch.float32:
        raise ConfigError(f"{what} of {kind_of(value)}, expected float32 {(1, *shape)}")


def checked_loss(loss: nn.Module, x: Tensor, x_hat: Tensor) -> Tensor:
    """The loss of a pair of pictures, (1, 3, H, W) each; a ConfigError if it is no such."""
    name = f"loss={path_of(type(loss))}"
    with refusing(f"{name}: of two pictures {tuple(x.shape)}"):
        value = loss(x, x_hat)
    if not isinstance(value, Tensor) or value.shape != () or not value.is_floating_point():
        raise ConfigError(f"{name}: gave {kind_of(value)}, expected a scalar, float32 ()")
    if not value.requires_grad:
        raise ConfigError(f"{name}: has no gradient with respect to the second picture")
    if not bool(value.isfinite()):
        raise ConfigError(f"{name}: is {float(value)} for a picture of noise")
    return value


def check_coding(network: Network) -> None:
    """Refuse parts that cannot code, or that do not decode the same picture twice."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with refusing("one crop encoded and decoded with these parts"):
        codec = Codec(model_file.Model(network))
        data = codec.encode(image, iterations=min(ITERATIONS, network.iterations))
        first, second = (np.asarray(codec.decode(data)) for _ in range(2))
    if first.shape != image.shape or (first != second).any():
        raise ConfigError(
            "the same file decoded twice with these parts gave two pictures: in evaluation mode "
            "(module.eval()) nothing may be random, and no part may remember an earlier picture"
        )


def check_metrics(names: Sequence[str]) -> None:
    """Refuse a metric from outside that does not give a number for each picture."""
    for name in names:
        metric = outside_metric(name)
        if metric is None:
            continue
        side = max(SIDE, metric.min_side)
        pair = torch.randint(0, 256, (2, 1, 3, side, side), dtype=torch.uint8)
        with refusing(f"metric {name}: of two pictures uint8 (1, 3, {side}, {side})"):
            value = metric(pair[0], pair[1])
        right = isinstance(value, Tensor) and value.is_floating_point() and value.shape == (1,)
        if not right:
            raise ConfigError(f"metric {name}: gave {kind_of(value)}, expected float64 (1,): (B,)")


def check_entropy_model(model: EntropyModel) -> None:
    """Refuse an entropy model from outside that does not learn, or that cannot code.

    Raises:
        ConfigError: says which.
    """
    if not is_outside(model) or not model.layers:
        return
    name = f"entropy={name_of(type(model))}"
    bits = torch.randint(0, 2, (1, min(ITERATIONS, model.iterations), BITS, 3, 3))
    codes = (2 * bits - 1).float()
    with torch.random.fork_rng(devices=[]), refusing(f"{name}: of codes {tuple(codes.shape)}"):
        learned, exact = model(codes), model(codes, exact=True)
    for logits in (learned, exact):
        check_tensor(f"{name}: gave logits", logits, codes.shape[1:])
    with refusing(f"{name}: cannot be turned into the integers that code"):
        integers = quantize(model).probabilities(bits.movedim(2, -1).to(torch.uint8))
    wanted = torch.sigmoid(exact.detach()).movedim(2, -1)
    if float((integers * STEP - wanted).abs().max()) > 2e-3:
        raise ConfigError(
            f"{name}: coding computes other probabilities than training: it knows the two ways to "
            "wire layers of BinaryRNN and Progressive; derive yours from one of them"
        )
