import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from rnncodec.entropy import IntegerModel, quantize, smooth
from rnncodec.entropy import fixed_point as fp
from rnncodec.entropy.integer import IntegerLayer, Stored, largest_sum
from rnncodec.entropy.model import LayerSpec, on_codes
from rnncodec.errors import DataError, ModelError

NAMES = ["binary_rnn", "progressive"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 1), (4, 9), (9, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_one_position_at_a_time(reference, make_model, make_codes, name, size, dtype):
    model = quantize(make_model(name), dtype=dtype)
    codes = make_codes(2, 3, *size)
    got = model.probabilities(codes)
    assert got.dtype == torch.int32
    for image, known in zip(got.numpy(), codes.numpy(), strict=True):
        np.testing.assert_array_equal(image, reference(*model.state()).probabilities(known))


@pytest.mark.parametrize("name", NAMES)
def test_float32_and_float64_agree_at_full_width(make_model, make_codes, name):
    narrow = quantize(make_model(name, hidden=64))
    wide = IntegerModel.from_state(*narrow.state(), dtype=torch.float64)
    codes = make_codes(1, 3, 7, 11)
    assert torch.equal(narrow.probabilities(codes), wide.probabilities(codes))


@pytest.mark.parametrize("name", NAMES)
def test_is_what_fine_tuning_sees(make_model, make_codes, name):
    model = make_model(name)
    codes = make_codes(2, 3, 5, 6)
    logits = model(codes.permute(0, 1, 4, 2, 3) * 2.0 - 1, exact=True).permute(0, 1, 3, 4, 2)
    steps = (logits * 256).long().clamp(-4096, 4095) + 4096
    expected = fp.probability_table().values[steps]
    assert torch.equal(quantize(model).probabilities(codes), expected)


@pytest.mark.parametrize("name", NAMES)
def test_becomes_smooth_again(make_model, make_codes, name):
    rounded = quantize(make_model(name))
    with torch.inference_mode():
        model = smooth(rounded)
    config, tensors = quantize(model).state()
    assert config == rounded.config
    assert all(torch.equal(tensors[key], known) for key, known in rounded.tensors.items())
    codes = (make_codes(1, 3, 4, 5).permute(0, 1, 4, 2, 3) * 2.0 - 1).requires_grad_()
    model(codes)[0, 2, 0, 3, 4].backward()
    assert codes.grad[0, 2].abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_prefix_and_batch_change_nothing(make_model, make_codes, name):
    model = quantize(make_model(name))
    codes = make_codes(3, 3, 5, 4)
    whole = model.probabilities(codes)
    assert torch.equal(model.probabilities(codes[1:2, :2]), whole[1:2, :2])


def test_autocast_and_threads_change_nothing(make_model, make_codes):
    model = quantize(make_model("progressive"))
    codes = make_codes(1, 3, 5, 4)
    expected = model.probabilities(codes)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = model.probabilities(codes)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert torch.equal(got, expected)


DIGEST = """
import hashlib, torch
from rnncodec.entropy import quantize
from rnncodec.entropy.progressive import Progressive
torch.manual_seed(1)
model = Progressive(3, 16)
for i, p in enumerate(model.parameters()):
    p.data = torch.sin(torch.arange(p.numel(), dtype=torch.float64) * (i + 1.5)).view(p.shape) / 4
codes = (torch.arange(3 * 9 * 11 * 32) * 2654435761 >> 13) % 2
codes = codes.view(1, 3, 9, 11, 32).to(torch.uint8)
probabilities = quantize(model.float()).probabilities(codes)
print(hashlib.sha256(probabilities.contiguous().numpy().astype("<i4").tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    "setting", [{}, {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}]
)
def test_instruction_sets_agree_on_a_known_answer(setting):
    environment = {**os.environ, **setting}
    command = [sys.executable, "-c", DIGEST]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (
        found.stdout.strip() == "2acd0530995d672ff8561e1c9bc69bd39496eee1fadacca1d89918b241347363"
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_probability_depends_on_what_comes_later(make_model, make_codes, name):
    model = quantize(make_model(name, scale=3.0))
    codes = make_codes(1, 3, 9, 13)
    before = model.probabilities(codes)
    t, y, x = 1, 4, 6
    codes[0, t, y, x, 3] ^= 1
    changed = (model.probabilities(codes) != before)[0].any(dim=-1)
    assert not changed[:t].any()
    steps = torch.arange(13) + 4 * torch.arange(9).unsqueeze(1)
    assert not changed[t][steps <= x + 4 * y].any(), "within the iteration: earlier steps only"
    assert changed[t, y, x + 1 : x + 4].all()
    assert changed[t, y + 1 : y + 4, x - 3 : x + 4].any(dim=1).all()
    assert bool(changed[t + 1].any()) == (name == "progressive")
    assert not changed[t + 1][steps <= x + 4 * y - 16].any(), "16 steps behind, no more"


def test_progressive_reads_a_window_of_radius_3_of_the_iteration_before(make_model, make_codes):
    model = quantize(make_model("progressive", hidden=16, scale=4.0))
    codes = make_codes(1, 2, 11, 11)
    before = model.probabilities(codes)
    codes[0, 0, 6, 6] ^= 1
    changed = (model.probabilities(codes) != before)[0, 1].any(dim=-1)
    assert changed[3, 3:10].all()
    assert not changed[:3].any()
    assert not changed[3, :3].any()


def test_more_than_24_bits_are_refused(make_model):
    config, tensors = quantize(make_model("progressive", hidden=128)).state()
    tensors["past_b.weight"] = torch.full_like(tensors["past_b.weight"], 127)
    with pytest.raises(ModelError, match=r"past_b: its sums could reach .* below 16777216"):
        IntegerModel.from_state(config, tensors)


def test_the_largest_allowed_sums_are_exact(reference, make_model):
    config, tensors = quantize(make_model("progressive", iterations=2, hidden=64)).state()
    for name, tensor in tensors.items():
        if name.endswith("weight"):
            tensors[name] = (tensor.sign() * 127).to(torch.int8)
    codes = torch.ones(1, 2, 4, 5, 32, dtype=torch.uint8)
    got = IntegerModel.from_state(config, tensors).probabilities(codes)[0]
    expected = reference(config, tensors).probabilities(codes[0].numpy())
    np.testing.assert_array_equal(got.numpy(), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "os"}, "no such entropy model; there are .*binary_rnn.*progressive"),
        ({"iterations": 0}, "iterations=0: expected a whole number"),
        ({"iterations": True}, "iterations=True: expected a whole number"),
        ({"hidden": 10**9}, "hidden=1000000000: expected a whole number"),
        ({"hidden": 6}, r"context.weight: expected torch.int8 \(3, 768, 6\)"),
        ({"name": "progressive"}, "expected the tensors .*past_a"),
    ],
)
def test_config_of_another_model_is_refused(make_model, change, message):
    config, tensors = quantize(make_model("binary_rnn")).state()
    with pytest.raises(ModelError, match=message):
        IntegerModel.from_state(config | change, tensors)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("line.weight", torch.zeros(3, 25, 20), "line.weight: expected torch.int8"),
        ("line.exponent", torch.full((3, 20), 40, dtype=torch.int8), r"0\.\.10, got \[40\]"),
        ("line.bias", torch.full((3, 20), 2**30, dtype=torch.int32), "line: its sums could"),
    ],
)
def test_tensors_of_another_model_are_refused(make_model, name, value, message):
    config, tensors = quantize(make_model("binary_rnn")).state()
    with pytest.raises(ModelError, match=message):
        IntegerModel.from_state(config, tensors | {name: value})


@pytest.mark.parametrize(
    "codes",
    [
        torch.zeros(1, 4, 2, 2, 32, dtype=torch.uint8),
        torch.zeros(1, 3, 2, 2, 31, dtype=torch.uint8),
        torch.zeros(1, 3, 0, 2, 32, dtype=torch.uint8),
        torch.zeros(1, 3, 2, 2, 32),
        torch.full((1, 3, 2, 2, 32), 3, dtype=torch.uint8),
    ],
)
def test_other_codes_are_refused(make_model, codes):
    model = quantize(make_model("binary_rnn"))
    with pytest.raises(DataError, match=r"expected uint8 \(B, T <= 3, h, w, 32\) of 0, 1 and 2"):
        model.probabilities(codes)


def test_diverged_weights_are_refused(make_model):
    model = make_model("binary_rnn")
    with torch.no_grad():
        model.layers["output"].weight[1, 2, 3] = float("nan")
    with pytest.raises(ModelError, match="output: a weight is not finite"):
        quantize(model)


def test_raw_bits_have_no_integer_model(make_model):
    with pytest.raises(ModelError, match="entropy=none writes raw bits"):
        quantize(make_model("none"))


def stored(weights, exponent, bias):
    return Stored(
        torch.tensor(weights, dtype=torch.int8).view(1, -1, 1),
        torch.tensor([[exponent]], dtype=torch.int8),
        torch.tensor([[bias]], dtype=torch.int32),
    )


@pytest.mark.parametrize(
    ("exponent", "bias", "x", "expected"),
    [
        (7, 0, [1, 1], 1),  # 64 * 1 - 63 * 1 = 1 of 2^-7: tanh(1/128) * 128 = 1
        (9, 1, [1, 1], 1),  # 2 of 2^-9 is half a step: up
        (9, 0, [1, 1], 0),  # 1 of 2^-9 is a quarter: down
        (9, -3, [1, 1], 0),  # -2 of 2^-9: halves go up
        (0, 0, [1, 0], 127),  # far outside the table
        (0, 0, [-1, 0], -127),
    ],
)
def test_rounds_halves_up_and_clamps(exponent, bias, x, expected):
    spec = on_codes(1, 2, 1)
    layer = IntegerLayer(spec, stored([64, -63], exponent, bias), torch.float32, torch.int8)
    assert layer(torch.tensor([[x]], dtype=torch.float32), 0, 1).item() == expected


def test_the_bound_is_the_largest_sum_of_products_bias_and_offset():
    layer = stored([100, -100], 9, -5)
    # In accumulator units: 200 * 127 + 5, and the table's middle 1024.5 steps of 2^9.
    assert largest_sum(LayerSpec(1, 2, 1), layer) == 200 * 127 + 5 + 1024.5 * 2**9
    # Coarser than the table: in half steps of the table, 2 * 2^7 to the unit.
    assert largest_sum(on_codes(1, 2, 1), stored([100, -100], 0, -5)) == 205 * 2**8 + 2 * 1024.5
