"""The suite as another processor would run it: ``pytest -p tests.reordered_sums``.

Processors, libraries and thread counts differ in the order in which they add up a convolution or
a matrix product, so in the last bits of what comes out. Here that order is another one, the same
at every call, drawn by ``REORDER_SEED``. A test that then fails hangs on a sign, a rounding or a
tie of floats, and would fail on some machine. Child processes of a test keep their order.
"""

import functools
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (torch.conv2d, torch.nn.functional.conv2d)
PRODUCTS = (torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.mm)
SEED = int(os.environ.get("REORDER_SEED", "1"))


@functools.cache
def order(length: int) -> torch.Tensor:
    """A permutation of so many terms."""
    with torch._C.DisableTorchFunction(), torch.inference_mode(False):
        return torch.randperm(length, generator=torch.Generator().manual_seed(SEED))


def permuted(x: torch.Tensor, dim: int) -> torch.Tensor:
    """The same in another order along ``dim``, in the memory format that it had."""
    result = x.index_select(dim, order(x.shape[dim]).to(x.device))
    if (
        x.ndim == 4
        and not x.is_contiguous()
        and x.is_contiguous(memory_format=torch.channels_last)
    ):
        return result.contiguous(memory_format=torch.channels_last)
    return result


class ReorderedSums(TorchFunctionMode):
    """Adds up convolutions and matrix products in another order."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.jit.is_tracing():  # a graph that is exported must not hold the other order
            return func(*args, **kwargs)
        if func in CONVOLUTIONS and len(args) >= 2 and args[0].shape[-3] == args[1].shape[1]:
            x, weight, *rest = args
            args = (permuted(x, x.ndim - 3), permuted(weight, 1), *rest)
        elif func in PRODUCTS and len(args) == 2 and all(x.ndim >= 2 for x in args):
            a, b = args
            args = (permuted(a, a.ndim - 1), permuted(b, b.ndim - 2))
        return func(*args, **kwargs)


ABOUT_THE_ORDER = {
    "test_what_is_computed_again_is_the_same": "backward computes again in the usual order",
    "test_pictures_are_those_of_the_files_beside_their_scores": "child processes keep the order",
    "test_in_bf16_one_rounding_is_closer_to_the_truth_than_many": "a copy's gradient is float32",
}
"""Tests of what this changes, by name, and why."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests of what this changes."""
    for item in items:
        for name, reason in ABOUT_THE_ORDER.items():
            if item.name.startswith(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Around each test, but not its fixtures: what they made comes from the first processor."""
    with ReorderedSums():
        yield
