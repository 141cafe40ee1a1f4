"""Spreads the processes of a sweep on one machine over its GPUs."""

import itertools
import logging
import os
from functools import cache
from pathlib import Path
from typing import IO

import torch

from rnncodec.runs import liveness

VISIBLE = "CUDA_VISIBLE_DEVICES"

_log = logging.getLogger(__name__)


def take_gpu(folder: Path) -> None:
    """Let this process see one GPU only: as few others as possible in ``folder`` have the same.

    It keeps it for all its jobs, since CUDA looks at the environment only once. Where there are
    fewer than two, nothing changes.
    """
    found = gpus()
    if len(found) > 1 and (number := slot(folder)) is not None:
        os.environ[VISIBLE] = found[number % len(found)]


def gpus() -> list[str]:
    """The GPUs that this process may use, as the environment variable names them."""
    named = os.environ.get(VISIBLE)
    if named is None:  # PyTorch counts without starting CUDA
        return [str(number) for number in range(torch.cuda.device_count())]
    return [name for name in named.split(",") if name]


def slot(folder: Path) -> int | None:
    """This process's place among those of a folder: the lowest that no living one has."""
    place = taken_slot(folder)
    return None if place is None else place[0]


@cache
def taken_slot(folder: Path) -> tuple[int, IO[bytes]] | None:
    """The place, and the file whose lock holds it; None where the file system has no locks."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        file = (folder / f"slot-{number}.lock").open("ab")
        try:
            locked = liveness.try_lock(file, exclusive=True)
        except liveness.Held:
            file.close()
            continue
        if locked:
            return number, file
        file.close()
        _log.warning("%s: no file locks here, so jobs are not spread over GPUs", folder)
        return None
    raise AssertionError("counting never ends")
