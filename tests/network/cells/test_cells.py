"""One contract for every cell in conf/, and each cell against NumPy written from its equations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from scipy.signal import correlate2d

from rnncodec.network.cells.assoc_lstm import bound

CELLS = sorted(path.stem for path in Path("conf/cell").glob("*.yaml"))
Array = NDArray[np.float64]


def make(name: str, i: int, o: int, **arguments: int):
    return instantiate(OmegaConf.load(f"conf/cell/{name}.yaml"))(i, o, **arguments)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("stride", "hidden_kernel"), [(2, 1), (1, 1), (1, 3)])
def test_contract(name: str, stride: int, hidden_kernel: int) -> None:
    cell = make(name, 6, 8, stride=stride, hidden_kernel=hidden_kernel)
    x = torch.randn(2, 6, 4, 8)
    y, state = cell(x)
    assert isinstance(state, tuple), "the state is a tuple of tensors"
    z, _ = cell(x, state)
    assert y.shape == z.shape == (2, 8, 4 // stride, 8 // stride)
    assert not torch.equal(y, z), "the state changes the output"
    (y.square().sum() + z.square().sum()).backward()
    for parameter_name, parameter in cell.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", CELLS)
def test_zero_state_is_what_none_means(name: str) -> None:
    cell = make(name, 4, 8, hidden_kernel=3)
    x = torch.randn(1, 4, 3, 5)
    y, state = cell(x)
    zeros = tuple(torch.zeros_like(part) for part in state)
    torch.testing.assert_close(cell(x, zeros)[0], y)


@pytest.mark.parametrize("name", CELLS)
def test_none_runs_no_hidden_convolution(name: str) -> None:
    cell = make(name, 4, 8)
    ran = []
    for part_name, part in cell.named_modules():
        part.register_forward_hook(lambda *_, part_name=part_name: ran.append(part_name))
    cell(torch.randn(1, 4, 3, 5))
    assert "W" in ran
    assert not {"U", "U_h", "W_h"} & set(ran)


@pytest.mark.parametrize("name", CELLS)
def test_in_bf16_what_adds_up_over_the_iterations_is_kept_in_float32(name: str) -> None:
    torch.manual_seed(0)
    cell = make(name, 4, 8)
    x = torch.randn(1, 4, 3, 5)
    state = None
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(3):
            y, state = cell(x, state)
    for part in state:  # what only goes into convolutions may be as short as these make it
        assert part.dtype == torch.float32 or torch.equal(part, y)
    assert any(part.dtype == torch.float32 for part in state)


@pytest.mark.parametrize("name", CELLS)
def test_weights_survive_a_round_trip(name: str) -> None:
    a, b = make(name, 4, 8), make(name, 4, 8)
    x = torch.randn(1, 4, 4, 4)
    assert not torch.equal(a(x)[0], b(x)[0])
    b.load_state_dict(a.state_dict())
    assert torch.equal(a(x)[0], b(x)[0])


def conv(x: Array, weight: Array, stride: int = 1) -> Array:
    """(C, H, W) and (O, C, k, k) -> (O, H/stride, W/stride), by the definition."""
    padding = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    maps = [
        sum(correlate2d(padded[c], kernel[c], mode="valid") for c in range(len(x)))
        for kernel in weight
    ]
    return np.stack(maps)[:, ::stride, ::stride]


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def numpy_parameters(cell: torch.nn.Module) -> dict[str, Array]:
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return {name: value.detach().numpy() for name, value in cell.named_parameters()}


def check_against(name: str, step, *, stride: int) -> None:
    """Run the cell and ``step(parameters, x, state, stride)`` side by side for three steps."""
    kernel = 1 if stride == 2 else 3
    cell = make(name, 3, 4, stride=stride, hidden_kernel=kernel).double()
    parameters = numpy_parameters(cell)
    state = expected_state = None
    for _ in range(3):
        x = torch.randn(3, 6, 4, dtype=torch.float64)
        y, state = cell(x[None], state)
        expected, expected_state = step(parameters, x.numpy(), expected_state, stride)
        np.testing.assert_allclose(y[0].detach().numpy(), expected, atol=1e-12)


def bias(p: dict[str, Array]) -> Array:
    return p["W.bias"][:, None, None]


def lstm_step(p, x, state, stride):
    gates = conv(x, p["W.weight"], stride) + bias(p)
    c = 0.0
    if state is not None:
        gates = gates + conv(state[0], p["U.weight"])
        c = state[1]
    f, i, o, j = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(j)
    h = sigmoid(o) * np.tanh(c)
    return h, (h, c)


def gru_step(p, x, state, stride):
    z, r, candidate = np.split(conv(x, p["W.weight"], stride) + bias(p), 3)
    h = np.zeros_like(z) if state is None else state
    u_z, u_r = np.split(conv(h, p["U.weight"]), 2)
    z, r = sigmoid(z + u_z), sigmoid(r + u_r)
    h = (1 - z) * h + z * np.tanh(candidate + conv(r * h, p["U_h.weight"]))
    return h, h


def gru_resnet_step(p, x, state, stride):
    h, _ = gru_step(p, x, state, stride)
    if state is not None:
        h = h + 0.1 * conv(state, p["W_h.weight"])
    return h + 0.1 * conv(x, p["W_ox.weight"], stride), h


def assoc_lstm_step(p, x, state, stride):
    def bounded(z):
        return z / np.maximum(1, np.abs(z))

    gates = conv(x, p["W.weight"], stride) + bias(p)
    c = 0.0
    if state is not None:
        gates = gates + conv(state[0], p["U.weight"])
        c = state[1]
    f, i, o, j_re, j_im, ri_re, ri_im, ro_re, ro_im = np.split(gates, 9)
    j, r_i, r_o = bounded(j_re + 1j * j_im), bounded(ri_re + 1j * ri_im), ro_re + 1j * ro_im
    c = sigmoid(f) * c + r_i * sigmoid(i) * j
    h = sigmoid(o) * bounded(bounded(r_o) * c)
    h = np.concatenate([h.real, h.imag])
    return h, (h, c)


REFERENCES = {
    "lstm": lstm_step,
    "gru": gru_step,
    "gru_resnet": gru_resnet_step,
    "assoc_lstm": assoc_lstm_step,
}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", CELLS)
def test_equations(name: str, stride: int) -> None:
    if name not in REFERENCES:
        pytest.skip(f"{name} brings no reference: enter its equations in NumPy into REFERENCES")
    check_against(name, REFERENCES[name], stride=stride)


def test_associative_bound_has_a_finite_gradient_at_zero() -> None:
    cell = make("assoc_lstm", 3, 4)
    for parameter in cell.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.zeros(1, 3, 2, 2, requires_grad=True)
    y, state = cell(x)
    (y.sum() + cell(x, state)[0].sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in cell.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_bound_holds_for_large_numbers_in_any_precision(dtype: torch.dtype) -> None:
    z = [torch.tensor([300.0, 60000.0, 0.0], dtype=dtype, requires_grad=True) for _ in range(2)]
    bounded = bound(*z)
    for part in bounded:
        assert part.dtype == dtype
        torch.testing.assert_close(part, torch.tensor([0.5**0.5, 0.5**0.5, 0.0], dtype=dtype))
    sum(part.sum() for part in bounded).backward()
    assert all(torch.isfinite(part.grad).all() for part in z)
