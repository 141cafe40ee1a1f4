import itertools
from types import SimpleNamespace

import pytest
import torch

from rnncodec.data.resumable import InfiniteDataModule
from rnncodec.errors import ConfigError


def data(
    rank: int = 0, ranks: int = 1, *, step: int = 0, device: str = "cpu"
) -> InfiniteDataModule:
    module = InfiniteDataModule()
    module.batch_size = 6
    module.trainer = SimpleNamespace(
        global_rank=rank,
        world_size=ranks,
        global_step=step,
        accumulate_grad_batches=2,
        strategy=SimpleNamespace(root_device=torch.device(device)),
    )
    return module


def test_without_a_trainer_it_begins_at_the_beginning():
    module = InfiniteDataModule()
    module.batch_size = 2
    assert next(iter(module.batches())) == [0, 1]
    assert not module.on_cuda()


def test_the_position_counts_accumulated_batches():
    assert next(iter(data(step=5).batches())) == [60, 61, 62, 63, 64, 65]


def test_shares_of_a_batch_make_it_up():
    shares = [next(iter(data(rank, 3).batches())) for rank in range(3)]
    assert sorted(itertools.chain(*shares)) == list(range(6))


def test_the_message_names_the_group():
    module = data(0, 4)
    module.group = "entropy_fit.data"
    with pytest.raises(ConfigError, match=r"entropy_fit\.data\.batch_size=6 cannot be divided"):
        module.batches()


def test_a_gpu_is_told():
    assert data(device="cuda").on_cuda()
