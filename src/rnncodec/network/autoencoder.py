"""Encoder, binarizer and decoder, built from a cell (section 3, figure 1 and its layer table)."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnncodec.errors import ConfigError
from rnncodec.geometry import BITS
from rnncodec.network import cells, families
from rnncodec.network import recon as recons
from rnncodec.network.cells import Cell, State, conv2d
from rnncodec.network.recon import Reconstruction
from rnncodec.validation import check_number, check_whole, is_whole

MAX_ITERATIONS = 255
MAX_EXTRA_RUNS = 16
"""The most extra runs of a part: a model file must not be able to ask for days of work."""
MAX_WIDTH = 4
"""Four times the paper's channels: half a billion weights."""

PAPER_KERNELS = (1, 1, 3, 3)
"""Of the decoder's four cells, the sides of their hidden kernels in the paper's layer table."""

OPTIONAL = ("priming", "diffusion", "hidden_kernels")
"""Arguments that a model description leaves out at their defaults."""

Recon: TypeAlias = Callable[[], Reconstruction]
"""A reconstruction framework's class, or a ``functools.partial`` of it."""


class CellFactory(Protocol):
    """A cell class, or a ``functools.partial`` of one."""

    def __call__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, hidden_kernel: int = 1
    ) -> Cell:
        """Build one layer's cell."""


class Encoder(nn.Module):
    """Residual (B, 3, H, W) -> features (B, 512 width, H/16, W/16)."""

    def __init__(self, cell: CellFactory, width: float) -> None:
        super().__init__()
        c = [scaled(channels, width) for channels in (64, 256, 512, 512)]
        self.conv = conv2d(3, c[0], 3, stride=2)
        self.cells = nn.ModuleList(
            cell(i, o, stride=2, hidden_kernel=1) for i, o in itertools.pairwise(c)
        )
        self.out_channels = c[-1]

    def forward(self, x: Tensor, states: list[State] | None = None) -> tuple[Tensor, list[State]]:
        """(B, 3, H, W), states -> (B, C, H/16, W/16), new states."""
        return run_cells(self.cells, self.conv(x), states)


class Binarizer(nn.Module):
    r"""Features -> codes in {-1, +1} (section 3, "binarizer"; Toderici 2016, equations 3-5).

    ``p = tanh(conv(.))``. In training ``b = +1`` with probability ``(1 + p) / 2``; at inference
    ``b = sign(p)``, with 0 as +1. The gradient goes straight through to ``p``, which is the
    expectation of ``b``.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = conv2d(in_channels, BITS, 1)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B, C, h, w) and uniform noise in [0, 1) (B, 32, h, w), or None -> (B, 32, h, w)."""
        p = self.expectation(x)
        return straight_through(p, p >= 0 if noise is None else 2 * noise < 1 + p)

    def expectation(self, x: Tensor) -> Tensor:
        """``p`` of each bit: (B, C, h, w) -> (B, 32, h, w) in (-1, 1)."""
        return torch.tanh(self.conv(x)).float()


def straight_through(p: Tensor, positive: Tensor) -> Tensor:
    """+1 where ``positive``, else -1; its gradient is that of ``p``."""
    code = torch.where(positive, 1.0, -1.0)
    return StraightThrough.apply(p, code) if p.requires_grad else code


class StraightThrough(torch.autograd.Function):
    """``(p, code) -> code``, exactly -1 or +1, whose gradient is passed on to ``p`` unchanged."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, code: Tensor) -> Tensor:
        """The code."""
        return code

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient of ``p``: that of the code."""
        return gradient, None


class Decoder(nn.Module):
    """Codes (B, 32, h, w) -> picture or correction (B, 3, 16 h, 16 w)."""

    def __init__(
        self, cell: CellFactory, width: float, kernels: Sequence[int] = PAPER_KERNELS
    ) -> None:
        super().__init__()
        c = [scaled(channels, width) for channels in (512, 512, 512, 256, 128)]
        inputs = [c[0], c[1] // 4, c[2] // 4, c[3] // 4]  # depth-to-space takes a factor of 4
        self.conv = conv2d(BITS, c[0], 1)
        self.cells = nn.ModuleList(
            cell(i, o, stride=1, hidden_kernel=k)
            for i, o, k in zip(inputs, c[1:], kernels, strict=True)
        )
        self.output = conv2d(c[4] // 4, 3, 1)

    def forward(
        self, code: Tensor, states: list[State] | None = None
    ) -> tuple[Tensor, list[State]]:
        """(B, 32, h, w), states -> (B, 3, 16 h, 16 w), new states."""
        x, states = run_cells(self.cells, self.conv(code), states, upscale=2)
        return self.output(x), states


def run_cells(
    layers: nn.ModuleList, x: Tensor, states: list[State] | None, *, upscale: int = 1
) -> tuple[Tensor, list[State]]:
    """Run a stack of cells for one iteration, with depth-to-space after each if it upscales."""
    new_states: list[State] = []
    for k, layer in enumerate(layers):
        x, state = layer(x, None if states is None else states[k])
        x = F.pixel_shuffle(x, upscale) if upscale > 1 else x
        new_states.append(state)
    return x, new_states


class Network(nn.Module):
    """The trainable codec: encoder, binarizer, decoder and reconstruction framework.

    Args:
        cell: the cell class, or a ``functools.partial`` of it.
        recon: the class of the reconstruction framework, or a ``functools.partial`` of it.
        width: factor on all hidden channels (1: the paper's; 1/8: tiny); the 32 bits stay.
        iterations: T, how many iterations it is trained for, and the most it codes with.
        priming: extra runs of the encoder on its first input, and of the decoder on the first
            code, that warm their states (Johnston et al. 2018; see
            :mod:`rnncodec.network.unroll`).
        diffusion: extra runs of the decoder on the code of every iteration.
        hidden_kernels: sides of the hidden kernels of the decoder's four cells, each 1 or 3. The
            last two work at half and a quarter of the picture's resolution: with 1 there, the
            decoder needs about half of the paper's multiply-adds.
        binarizer: a subclass of :class:`Binarizer` from another package, or a
            ``functools.partial`` of one; None: the paper's.

    Raises:
        ConfigError: a width over 4, or one that gives channels that are no multiple of 8;
            ``iterations`` not in 1..255; ``priming`` or ``diffusion`` not in 0..16;
            ``hidden_kernels`` other than four of 1 and 3; a cell, reconstruction or binarizer
            that is no subclass of ours.

    Examples:
        >>> from rnncodec.network.cells.gru import GRU
        >>> from rnncodec.network.recon.additive import Additive
        >>> Network(GRU, Additive, width=0.125, iterations=4).config["cell"]
        {'name': 'gru'}
    """

    def __init__(
        self,
        cell: CellFactory,
        recon: Recon,
        *,
        width: float,
        iterations: int = 16,
        priming: int = 0,
        diffusion: int = 0,
        hidden_kernels: Sequence[int] = PAPER_KERNELS,
        binarizer: Callable[[int], Binarizer] | None = None,
    ) -> None:
        super().__init__()
        kernels = tuple(hidden_kernels) if isinstance(hidden_kernels, Sequence) else ()
        if len(kernels) != 4 or not all(is_whole(side) and side in (1, 3) for side in kernels):
            raise ConfigError(
                f"hidden_kernels={hidden_kernels!r}: expected 4 sides, each 1 or 3, as "
                f"{list(PAPER_KERNELS)} (the paper's) or [1, 1, 1, 1]"
            )
        check_number("width", width, 0, MAX_WIDTH)
        check_whole("iterations", iterations, 1, MAX_ITERATIONS)  # one byte in a file
        check_whole("priming", priming, 0, MAX_EXTRA_RUNS)
        check_whole("diffusion", diffusion, 0, MAX_EXTRA_RUNS)
        parts = {
            "cell": describe(cells, Cell, cell),
            "recon": describe(recons, Reconstruction, recon),
        }
        cell_class: type[Cell] = unwrap(cell)
        self.width = width
        self.iterations = iterations
        self.priming = priming
        self.diffusion = diffusion
        self.encoder = Encoder(cell_class.encoder_cell or cell, width)
        self.binarizer = (binarizer or Binarizer)(self.encoder.out_channels)
        self.decoder = Decoder(cell, width, kernels)
        self.recon = recon()
        self.config: dict[str, Any] = {
            **parts,
            "width": width,
            "iterations": iterations,
        }
        # Left out at their defaults: the fingerprint of a model hashes its description, and the
        # models that were trained before these arguments existed keep theirs.
        own_kernels = [] if kernels == PAPER_KERNELS else list(kernels)
        extra = zip(OPTIONAL, (priming, diffusion, own_kernels), strict=True)
        self.config |= {name: value for name, value in extra if value}
        if binarizer is not None:
            name = families.taken_in("binarizers", Binarizer, unwrap(binarizer))
            self.config["binarizer"] = {"name": name, **arguments_of(binarizer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Network":
        """Build the (untrained) network that :attr:`config` describes.

        Raises:
            ConfigError: a name or an argument that this version does not know.
        """
        try:
            return cls(
                restore(cells, Cell, config["cell"]),
                restore(recons, Reconstruction, config["recon"]),
                width=config["width"],
                iterations=config["iterations"],
                binarizer=restore_binarizer(config["binarizer"])
                if "binarizer" in config
                else None,
                **{name: config[name] for name in OPTIONAL if name in config},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"model description {config!r} is not understood: {error!r}; it may need a newer "
                "version of rnncodec"
            ) from error


def unwrap(factory: Any) -> Any:
    """The class behind a factory that may be a ``functools.partial``."""
    return factory.func if isinstance(factory, partial) else factory


def describe(package: ModuleType, base: type, factory: Any) -> dict[str, Any]:
    """Plain data from which :func:`restore` makes the factory again."""
    return {
        "name": families.stored_name(package, base, unwrap(factory)),
        **arguments_of(factory),
    }


def arguments_of(factory: Any) -> dict[str, Any]:
    """The arguments of a factory that is a ``functools.partial``."""
    arguments = factory.keywords if isinstance(factory, partial) else {}
    if "name" in arguments:  # which a description has for the class itself
        raise ConfigError(f"{unwrap(factory).__name__}: call its argument name otherwise")
    return dict(arguments)


def restore(package: ModuleType, base: type, description: dict[str, Any]) -> Any:
    """The factory that :func:`describe` described."""
    arguments = dict(description)
    implementation: Any = families.by_name(package, base, arguments.pop("name"))
    return partial(implementation, **arguments)


def restore_binarizer(description: dict[str, Any]) -> Any:
    """The binarizer, from outside, that :attr:`Network.config` describes."""
    arguments = dict(description)
    implementation: Any = families.outside("binarizers", Binarizer, arguments.pop("name"))
    return partial(implementation, **arguments)


def scaled(channels: int, width: float) -> int:
    """``channels * width``, which must be a positive multiple of 8.

    Raises:
        ConfigError: it is not.
    """
    exact = channels * width
    if exact < 8 or exact % 8:
        raise ConfigError(
            f"width={width:g}: a layer of {channels} channels would have {exact:g}; widths that "
            "give positive multiples of 8 work: 0.125 (tiny), 0.25, 0.5 (compact), 1 (paper)"
        )
    return int(exact)
