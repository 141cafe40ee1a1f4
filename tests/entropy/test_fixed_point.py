import hashlib

import numpy as np
import torch

from rnncodec.entropy import fixed_point as fp


def test_tables_are_the_nearest_integers_to_scipy():
    from scipy.special import expit

    x = np.arange(-1024, 1024) / 128
    np.testing.assert_array_equal(fp.gate_table().values, np.floor(1024 * expit(x) + 0.5))
    tanh = np.clip(np.floor(128 * np.tanh(x) + 0.5), -127, 127)
    np.testing.assert_array_equal(fp.tanh_table().values, tanh)
    probability = np.floor(65536 * expit(np.arange(-4096, 4096) / 256) + 0.5)
    expected = np.clip(probability, 1, 65535)
    np.testing.assert_array_equal(fp.probability_table().values, expected)


def test_tables_never_change():
    """They are part of the file format: another table makes every written file unreadable."""
    tables = (fp.tanh_table(), fp.gate_table(), fp.probability_table())
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.values.numpy().astype("<i4").tobytes())
    assert digest.hexdigest() == "c3af80952b2739c851fdbf00e499b5a759aa17cbc9f433c0cd2d34243091d86f"


def test_lookup_is_the_entry_with_the_gradient_of_the_function():
    x = torch.tensor([-20.0, -0.3, 0.0, 0.004, 1.7, 20.0], requires_grad=True)
    y = fp.tanh_table()(x)
    assert (y.detach() * 128).tolist() == [-127.0, -37.0, 0.0, 1.0, 120.0, 127.0]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, 1 - torch.tanh(x.detach()) ** 2)


def test_rounding_takes_halves_up_and_clamps():
    x = torch.tensor([-0.75, -0.25, 0.25, 0.26, 9.0])
    assert fp.round_half_up(x, 1, 4).tolist() == [-0.5, 0.0, 0.5, 0.5, 2.0]
