"""Better bits by gradient descent: the search itself, and the files it writes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rnncodec.bitstream import info, sending
from rnncodec.codec import Codec, load
from rnncodec.coding.latent_optimization import (
    EMPHASIS,
    FINAL_STEP,
    HORIZON,
    STEP,
    ActivationBudget,
    Effort,
    LoopState,
    Search,
    descend,
)
from rnncodec.data.photos import DemoPhotos
from rnncodec.entropy import bits_per_bit, smooth
from rnncodec.errors import ConfigError, RNNCodecWarning
from rnncodec.images.distortion import SEARCH_LOSSES, trained_for, weighted_sum
from rnncodec.images.pixels import from_uint8
from rnncodec.images.similarity import multi_scale
from rnncodec.models.model_file import Model
from rnncodec.network.unroll import iterate, unroll

CODEC = load(Path(__file__).parents[1] / "golden" / "model.safetensors")
NETWORK = CODEC.model.network
PHOTO = next(image for _, image in DemoPhotos("train"))
SMALL = PHOTO[20:84, 180:244]
LARGE = PHOTO[:192, :208]


def pixels_of(image: np.ndarray) -> Tensor:
    return from_uint8(torch.tensor(image).permute(2, 0, 1)[None])


def losses(codes: Tensor, x: Tensor) -> list[float]:
    steps = iterate(NETWORK, lambda t, *_: codes[:, t], codes.shape[1])
    (weights,) = SEARCH_LOSSES["ms_ssim"]
    return [weighted_sum(x, step.x_hat, weights).item() for step in steps]


def plain_codes(x: Tensor) -> Tensor:
    return torch.stack([step.code for step in unroll(NETWORK, x, iterations=3)], dim=1)


def test_without_nudges_the_loop_is_the_codecs_own() -> None:
    x = pixels_of(SMALL)
    search = Search(NETWORK, x, (64, 64), 3, effort=Effort(1))
    outcome = search.run(0, 3, LoopState())[-1]
    codes, loss = torch.stack(outcome.codes, 1), search.objective(outcome)
    assert torch.equal(codes, plain_codes(x))
    assert loss.item() == pytest.approx(np.log(losses(codes, x)).mean(), abs=1e-5)
    # Every bit's gradient is that of the straight-through estimator, which reaches all of them.
    assert all(gradient.abs().min() > 0 for gradient in torch.autograd.grad(loss, search.deltas))


def test_steps_lower_what_they_are_to_lower() -> None:
    x = pixels_of(SMALL)
    plain = losses(plain_codes(x), x)
    alike, last = (
        losses(Effort(16, last_only=only).codes(NETWORK, x, (64, 64), 3), x)
        for only in (False, True)
    )
    assert np.log(alike).mean() < np.log(plain).mean() - 0.01
    assert last[-1] < alike[-1] < plain[-1]


def test_predictable_bits_are_preferred() -> None:
    x, plain = pixels_of(LARGE), plain_codes(pixels_of(LARGE))
    prices = smooth(CODEC.model.entropy)
    efforts = Effort(6), Effort(6, entropy=prices)
    found = [effort.codes(NETWORK, x, (192, 208), 3) for effort in efforts]
    bits = [bits_per_bit(prices(codes), codes).item() for codes in (*found, plain)]
    assert bits[1] < bits[0] - 0.005
    quality = [np.log(losses(codes, x)).mean() for codes in (*found, plain)]
    assert quality[1] < quality[2] - 0.01


def state_of(losses: list[float], sent: list[int]) -> LoopState:
    """Of iterations in which so many of the 16 positions send."""
    codes = [torch.ones(1, 32, 16, 1) for _ in sent]
    for code, count in zip(codes, sent, strict=True):
        code[:, :, count:] = 0
    return LoopState(codes, [torch.tensor(loss) for loss in losses])


def test_what_bits_are_worth_is_the_slope_of_the_images_own_curve() -> None:
    x = pixels_of(SMALL)
    search = Search(NETWORK, x, (64, 64), 4, effort=Effort(1))
    plain = state_of([0.4, 0.2, 0.15, 0.15], [16, 16, 8, 8])
    spent = np.array([1, 2, 2.5, 3])
    np.testing.assert_allclose(search.rate_bits(plain), spent)
    expected = -np.gradient(np.log([0.4, 0.2, 0.15, 0.15]), spent)
    search.rate_weight = search.rate_weights(plain)
    np.testing.assert_allclose(search.rate_weight, expected, rtol=1e-5, atol=1e-6)
    costs = np.log([0.15, 0.15]) + expected[2:] * spent[2:]
    assert search.objective(plain, 2).item() == pytest.approx(costs.mean(), rel=1e-5)
    worse = search.rate_weights(state_of([0.1, 0.2, 0.3, 0.4], [16, 16, 16, 16]))
    assert not worse.any()  # no bit is worth less than nothing
    single = Search(NETWORK, x, (64, 64), 1, effort=Effort(1))
    grey = single.loss(torch.zeros_like(x)).item()
    only = single.rate_weights(state_of([0.4], [8]))
    assert only.item() == pytest.approx(np.log(grey / 0.4) / 0.5, rel=1e-5)


def test_where_the_last_picture_alone_counts() -> None:
    x = pixels_of(SMALL)
    search = Search(NETWORK, x, (64, 64), 2, effort=Effort(1, last_only=True))
    search.rate_weight = torch.tensor([5.0, 0.5])
    loss = search.objective(state_of([0.4, 0.2], [16, 8]))
    assert loss.item() == pytest.approx(np.log(0.2) + 0.5 * 1.5)


def test_a_search_that_leads_nowhere_keeps_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def ascend(deltas, gradients, rates):
        with torch.no_grad():
            for delta, gradient in zip(deltas, gradients, strict=True):
                delta.add_(gradient.sign())

    monkeypatch.setattr("rnncodec.coding.latent_optimization.descend", ascend)
    x = pixels_of(SMALL)
    assert torch.equal(Search(NETWORK, x, (64, 64), 3, effort=Effort(3)).codes(), plain_codes(x))


def test_what_is_worse_in_the_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def optimize_iteration(search: Search, t: int, before):
        with torch.no_grad():
            search.deltas[t].fill_(9.0)  # all bits 1
            return search.iteration(t, before)

    monkeypatch.setattr(Search, "optimize_iteration", optimize_iteration)
    x = pixels_of(SMALL)
    assert torch.equal(Search(NETWORK, x, (64, 64), 3, effort=Effort(1)).codes(), plain_codes(x))


@pytest.mark.parametrize("last_only", [False, True])
def test_bits_are_chosen_for_the_pictures_of_their_horizon(
    monkeypatch: pytest.MonkeyPatch, last_only: bool
) -> None:
    x, runs, run = pixels_of(SMALL), [], Search.run

    def recorded(search: Search, first: int, end: int, before):
        runs.append((first, end))
        return run(search, first, end, before)

    monkeypatch.setattr(Search, "run", recorded)
    Effort(1, last_only=last_only).codes(NETWORK, x, (64, 64), 6)
    windows = [(t, 6 if last_only else min(6, t + HORIZON)) for t in range(6)]
    assert runs == [window for window in windows for _ in range(2)]


@pytest.mark.parametrize("last_only", [False, True])
def test_steps_get_shorter_until_an_iteration_stands(last_only: bool) -> None:
    search = Search(NETWORK, pixels_of(SMALL), (64, 64), 6, effort=Effort(3, last_only=last_only))
    for k in range(6):
        first = 0 if last_only else max(0, k - HORIZON + 1)
        rates = [search.step_size(k, t, step) for t in range(first, k + 1) for step in range(3)]
        assert rates[0] == STEP
        assert all(a > b > FINAL_STEP for a, b in pairwise(rates))


def test_in_bf16_the_bits_are_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    x, found = pixels_of(SMALL), []
    for fast in (False, True):
        monkeypatch.setattr(
            "rnncodec.coding.latent_optimization.gains_from_bf16", lambda _, fast=fast: fast
        )
        codes = Effort(8).codes(NETWORK, x, (64, 64), 3)
        assert codes.dtype == torch.float32
        found.append(np.log(losses(codes, x)).mean())
    plain = np.log(losses(plain_codes(x), x)).mean()
    assert found[1] - plain < 0.8 * (found[0] - plain) < 0


@pytest.mark.parametrize(("gib", "runs"), [(2, 3 + 3 * 6), (0, 3 + 3 * 6 + 2 * 3)])
def test_what_is_computed_again_is_the_same(
    monkeypatch: pytest.MonkeyPatch, gib: int, runs: int
) -> None:
    x, iterations, iteration = pixels_of(SMALL), [], Search.iteration

    def counted(search: Search, t: int, *given):
        iterations.append(t)
        return iteration(search, t, *given)

    expected = Effort(2).codes(NETWORK, x, (64, 64), 3)
    monkeypatch.setattr(Search, "iteration", counted)
    monkeypatch.setattr("rnncodec.coding.latent_optimization.BUDGET", gib << 30)
    assert torch.equal(Effort(2).codes(NETWORK, x, (64, 64), 3), expected)
    assert len(iterations) == runs  # backward, twice in each of 3 stages: all but a run's first


def test_what_backward_needs_is_counted_once() -> None:
    x = torch.ones(1000, requires_grad=True)
    kept = ActivationBudget()
    with kept:
        y = x.exp()  # saves its result
    assert kept.bytes == 4000
    with kept:
        (y * y).sum()  # saves it again, twice
    assert kept.bytes == 4000
    with kept:
        (y.exp() * 2).sum()
    assert kept.bytes == 8000


@pytest.mark.parametrize("scale", [1.0, 1e-20])
def test_a_step_of_descent(scale: float) -> None:
    delta, strength = torch.zeros(1, 2, 1, 1), np.array([1, 3**EMPHASIS])
    for _ in range(2):
        descend([delta], (scale * torch.tensor([1.0, -3.0]).reshape(1, 2, 1, 1),), [0.1])
    expected = 0.2 * strength / strength.mean() * [-1, 1]
    np.testing.assert_allclose(delta.flatten(), expected, rtol=1e-5)


def test_all_parts_of_a_picture_are_searched() -> None:
    delta, gradient = torch.zeros(1, 2, 8, 8), torch.ones(1, 2, 8, 8)
    gradient[..., 4:] *= 100
    gradient[:, 1] *= 2
    descend([delta], (gradient,), [0.1])
    assert delta.abs().mean() == pytest.approx(0.1)
    little, much = delta[..., :3].abs(), delta[..., 5:].abs()  # away from where they meet
    torch.testing.assert_close(much, 10 * little)
    torch.testing.assert_close(little[:, 1], 2**EMPHASIS * little[:, 0])


def test_an_image_is_searched_by_itself_and_as_far_as_it_is_seen() -> None:
    images = torch.cat([pixels_of(SMALL), pixels_of(PHOTO[90:154, :64])])
    together = Effort(2).codes(NETWORK, images, (64, 64), 2)
    alone = [Effort(2).codes(NETWORK, image, (64, 64), 2) for image in images.split(1)]
    assert torch.equal(together, torch.cat(alone))
    padded = images[:1].clone()
    padded[..., 40:, :] = 0.5
    search = Search(NETWORK, padded, (40, 64), 1, effort=Effort(1))
    assert search.loss(images[:1]).item() == 0


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, "3", None])
def test_steps_that_are_none(steps: object) -> None:
    with pytest.raises(
        ConfigError, match=r"effort=.*: expected a whole number of steps, 1 to 1000"
    ):
        Effort(steps)  # type: ignore[arg-type]


def test_a_file_is_as_any_other_and_better() -> None:
    plain = CODEC.encode(LARGE)
    told: list[tuple[int, int]] = []
    data = CODEC.encode(LARGE, effort=4, progress=lambda *counts: told.append(counts))
    assert told == [(k, 12) for k in range(1, 13)]
    x = pixels_of(LARGE)
    bits = torch.tensor(CODEC.decode_codes(data)).permute(0, 3, 1, 2)[None] * 2.0 - 1
    assert np.log(losses(bits, x)).mean() < np.log(losses(plain_codes(x), x)).mean()
    assert CODEC.decode(data).size == CODEC.decode(plain).size
    assert info(data).header == info(plain).header


def test_it_works_where_gradients_are_off() -> None:
    expected = CODEC.encode(SMALL, effort=2)
    with torch.inference_mode():
        assert CODEC.encode(SMALL, effort=2) == expected
    with torch.no_grad():
        assert CODEC.encode(SMALL, effort=2) == expected
    assert all(not weight.requires_grad for weight in NETWORK.parameters())


@pytest.mark.parametrize("size", [(1, 1), (20, 50), (33, 47)])
def test_small_pictures_and_odd_sizes(size: tuple[int, int]) -> None:
    image = PHOTO[: size[0], : size[1]]
    assert CODEC.decode(CODEC.encode(image, effort=1)).size == size[::-1]


def test_tiles_are_searched_by_themselves() -> None:
    told: list[tuple[int, int]] = []
    data = CODEC.encode(SMALL, effort=1, tile=32, progress=lambda *counts: told.append(counts))
    assert told == [(1, 3), (2, 3), (3, 3)] * 4
    alone = CODEC.decode_codes(CODEC.encode(SMALL[32:, :32], effort=1))
    np.testing.assert_array_equal(CODEC.decode_codes(data)[:, 2:, :2], alone)


def ms_ssim(data: bytes) -> float:
    images = (LARGE, np.asarray(CODEC.decode(data)))
    x, y = (torch.tensor(image).permute(2, 0, 1)[None].double() for image in images)
    return multi_scale(x, y).item()


def test_a_rate_buys_a_better_picture() -> None:
    plain = CODEC.encode(LARGE, bpp=0.28)
    data = CODEC.encode(LARGE, bpp=0.28, effort=4)
    assert info(data).iterations == info(plain).iterations == 3
    assert 0.97 * 0.28 <= info(data).bpp[-1] <= 0.28
    assert ms_ssim(data) > ms_ssim(plain)


def test_a_rate_that_better_bits_exceed_gets_plain_ones() -> None:
    plain = CODEC.encode(LARGE, iterations=2)
    exact = info(plain).bpp[-1]
    data = CODEC.encode(LARGE, bpp=exact, effort=4)
    assert info(data).bpp[-1] <= exact
    assert info(data).iterations == 2


def test_a_quality_takes_fewer_iterations() -> None:
    scores = [ms_ssim(CODEC.encode(LARGE, iterations=n)) for n in (1, 2, 3)]
    goal = scores[1] + 1e-3
    plain, data = (CODEC.encode(LARGE, ms_ssim=goal, effort=effort) for effort in (0, 12))
    assert info(plain).iterations == 3
    assert info(data).iterations == 2
    assert ms_ssim(data) >= goal


def test_a_quality_that_effort_does_not_bring_nearer_gets_a_plain_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rnncodec.coding.latent_optimization.STEP", 0.0)
    monkeypatch.setattr("rnncodec.coding.latent_optimization.FINAL_STEP", 0.0)
    _, second, third = (ms_ssim(CODEC.encode(LARGE, iterations=n)) for n in (1, 2, 3))
    between = (second + third) / 2  # a score itself may be missed by its last bit
    plain = CODEC.encode(LARGE, ms_ssim=between)
    assert info(plain).iterations == 3
    assert CODEC.encode(LARGE, ms_ssim=between, effort=1) == plain


def test_a_quality_out_of_reach() -> None:
    with pytest.warns(RNNCodecWarning, match="ms_ssim=1 cannot be reached"):
        data = CODEC.encode(LARGE, ms_ssim=1.0, effort=2)
    assert ms_ssim(data) > ms_ssim(CODEC.encode(LARGE))


def bits_per_position(data: bytes) -> np.ndarray:
    return sending(CODEC.decode_codes(data)).sum(axis=0)


def test_where_blocks_end_only_the_bits_that_are_sent_are_searched_for() -> None:
    plain, data = (CODEC.encode(LARGE, adaptive="mse", effort=effort) for effort in (0, 6))
    spent = bits_per_position(data)
    np.testing.assert_array_equal(spent, bits_per_position(plain))
    assert 1 == spent.min() < spent.max() == 3
    assert ms_ssim(data) > ms_ssim(plain)


def test_when_all_blocks_have_ended_the_search_goes_on_with_what_is_sent() -> None:
    x = pixels_of(SMALL)
    ends = torch.ones(1, 1, 4, 4, dtype=torch.int64)
    codes = Effort(4).codes(NETWORK, x, (64, 64), 3, ends)
    assert codes[:, 0].abs().min() == 1
    assert codes[:, 1:].abs().max() == 0
    assert not torch.equal(codes[:, 0], plain_codes(x)[:, 0])


def test_steps_are_as_long_where_few_positions_send() -> None:
    rows = torch.tensor([[1.0, -1, 1, -1], [1.0, -1, 0, 0], [0.0, 0, 0, 0]])
    gradients = list(rows.reshape(3, 1, 1, 1, 4).expand(-1, 1, 2, 1, 4))
    deltas = [torch.zeros(1, 2, 1, 4) for _ in gradients]
    descend(deltas, tuple(gradients), [0.1, 0.1, 0.1])
    for delta, gradient in zip(deltas, gradients, strict=True):
        torch.testing.assert_close(delta, -0.1 * gradient)


@pytest.mark.parametrize("bpp", [0.15, 0.2, 0.3])  # at the first two better bits take too many
def test_a_rate_for_blocks_that_end_buys_a_better_picture(bpp: float) -> None:
    plain, data = (CODEC.encode(LARGE, bpp=bpp, adaptive="mse", effort=n) for n in (0, 4))
    assert info(data).header.adaptive
    assert info(data).bpp[-1] <= bpp
    assert ms_ssim(data) > ms_ssim(plain)


def test_a_quality_of_blocks_that_end_takes_fewer_bits() -> None:
    goal = ms_ssim(CODEC.encode(LARGE, iterations=2))
    plain, data = (CODEC.encode(LARGE, ms_ssim=goal, adaptive="ssim", effort=n) for n in (0, 4))
    assert len(data) < len(plain)
    assert ms_ssim(data) >= goal


@pytest.mark.parametrize("name", SEARCH_LOSSES)
def test_a_search_lowers_what_it_is_for(name: str) -> None:
    """In float64 of the codes found: no rounding decides."""
    x = pixels_of(LARGE)

    def distortion(codes: Tensor) -> float:
        *_, last = iterate(NETWORK, lambda t, *_: codes[:, t], codes.shape[1])
        sums = [weighted_sum(x, last.x_hat, weights).item() for weights in SEARCH_LOSSES[name]]
        return float(np.log(sums).mean())

    found = Effort(6, name, last_only=True).codes(NETWORK, x, (192, 208), 3)
    assert distortion(found) < distortion(plain_codes(x)) - 0.01


def test_balanced_is_the_geometric_mean() -> None:
    x, y = pixels_of(SMALL), pixels_of(PHOTO[:64, :64])
    losses = {
        name: Search(NETWORK, x, (64, 64), 1, effort=Effort(1, name)).loss(y).item()
        for name in SEARCH_LOSSES
    }
    expected = (losses["ms_ssim"] * losses["psnr_hvs"]) ** 0.5
    assert losses["balanced"] == pytest.approx(expected, rel=1e-5)
    assert losses["psnr"] == pytest.approx((x - y).square().mean().item() ** 0.5, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"_target_": "rnncodec.training.losses.L1MSSSIM", "alpha": 0.84}, "ms_ssim"),
        ({"_target_": "rnncodec.training.losses.SSIMWeighted"}, "ms_ssim"),
        ({"_target_": "rnncodec.training.losses.L1"}, "psnr"),
        ({"_target_": "Mixed", "weights": {"hvs": 1, "ms_ssim": 0.5, "chroma": 1}}, "balanced"),
        ({"_target_": "Mixed", "weights": {"hvs": 1, "ms_ssim": 0, "chroma": 1}}, "psnr_hvs"),
        ({"_target_": "Mixed", "weights": {"rmse": 1}}, "psnr"),
        ({"_target_": "somebody.elses.Loss"}, "ms_ssim"),
        ("damaged", "ms_ssim"),
    ],
)
def test_by_default_a_search_is_for_what_the_model_was_trained_for(
    loss: object, expected: str
) -> None:
    assert trained_for({"settings": {"loss": loss}}) == expected


def test_the_default_is_that_of_the_model_file() -> None:
    weights = {"hvs": 1.0, "chroma": 1.0}
    notes = {"settings": {"loss": {"_target_": "Mixed", "weights": weights}}}
    model = CODEC.model
    other = Codec(Model(model.network, model.entropy, notes))
    found = {name: CODEC.encode(SMALL, effort=3, effort_for=name) for name in SEARCH_LOSSES}
    assert other.encode(SMALL, effort=3) == found["psnr_hvs"]
    assert CODEC.encode(SMALL, effort=3) == found["ms_ssim"]
    assert len(set(found.values())) > 2


@pytest.mark.parametrize("name", ["ssim", "", 3, ["psnr"]])
def test_a_metric_that_is_none(name: object) -> None:
    with pytest.raises(ConfigError, match=r"effort_for=.*: expected one of ms_ssim, psnr_hvs"):
        CODEC.encode(SMALL, effort=1, effort_for=name)  # type: ignore[arg-type]


def test_a_metric_without_a_search() -> None:
    with pytest.raises(ConfigError, match="effort_for=psnr: is for a search; give effort=, too"):
        CODEC.encode(SMALL, effort_for="psnr")
