"""Models with weights large enough that everything matters, and the reference to compare with."""

import importlib.util
from pathlib import Path

import pytest
import torch

from rnncodec.entropy import model_class


@pytest.fixture(scope="session")
def reference():
    path = Path(__file__).with_name("reference.py")
    spec = importlib.util.spec_from_file_location("entropy_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Reference


@pytest.fixture
def make_model():
    def make(name, iterations=3, hidden=5, *, scale=2.0):
        torch.manual_seed(7)
        model = model_class(name)(iterations, hidden)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(scale).add_(torch.randn_like(parameter) * 0.05)
        return model

    return make


@pytest.fixture
def make_codes():
    def make(*shape, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, 2, (*shape, 32), dtype=torch.uint8, generator=generator)

    return make
