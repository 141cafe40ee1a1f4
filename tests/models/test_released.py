"""Released models never change: every file ever written with them stays decodable."""

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import rnncodec
from rnncodec import models

REPOSITORY = Path(__file__).parents[2]
EARLIER = REPOSITORY / "models"
"""Where a developer puts earlier releases (see ``weights/README.md``); git ignores it."""
RELEASED = {
    "compact-0": "76b4d33047f2250ac4e5061e9fc38417",
    "compact-1": "42dcccd682365f07c923ddef11ef79ed",
    "compact-2": "a5998b256606601438aa7fd00e28e031",
    "compact-3": "f63252b57418a1859e0e8377ff67ef02",
    "compact-4": "58d065a15316e8c93a958a89604984b7",
    "compact-5": "36f4321ce68622e6953ac0e11f0e9701",
    "compact-6": "d99bde077b94849427ad479fd7c2038e",
    "compact-7": "16e764b228a76d2086d8dc7c6fba71b7",
}
PROBABILITIES = {
    "compact-0": "278f21f9a8d2cc98ccf2fcb8f974dd2222d63e5bf797c14c5267fc37d730354c",
    "compact-1": "44440d2fc79cc47b1f132496d57ff9236ff004f6a8b93a1ec530bc95e1876c55",
    "compact-2": "121e3fcf4c79b1fad6ae011fae0b93bf2e92891b81e16d6a2923b10c0193660f",
    "compact-3": "95c30e2de81f5364840e4ae4dde97b1ed8402bf3119a296f590c1bbce9d007da",
    "compact-4": "f0a0fb163454038655920fb2d434b57667738994462f58a0ad6d74af49db6a01",
    "compact-5": "92f2475382941f3efe42035ad98c4d224e58b369b51863e2c1f6476962a0d93a",
    "compact-6": "58c6ac0dc8a9945b117c6457ff97f1c853bb1baac73b429af520e3689f3d027b",
    "compact-7": "94f38630dbd7b0f94290f3cd1791c11b9fb5b15751a43a58a07944b3d4433fc0",
}
THERE = [name for name in RELEASED if (EARLIER / f"{name}.safetensors").is_file()]
THERE += sorted(models.packaged())


@pytest.fixture(autouse=True)
def all_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(models.VARIABLE, str(EARLIER))


def test_the_newest_is_packaged_and_all_are_known() -> None:
    newest = list(RELEASED)[-1]
    assert set(models.packaged()) == {newest}
    assert models.aliases() == {"compact": newest}
    assert models.released() == RELEASED


def test_history_has_those_that_are_no_longer_packaged() -> None:
    """What the message about a missing release tells people to type works."""
    commit = ["git", "-C", str(REPOSITORY), "cat-file", "-e", f"{models.HISTORY}^{{commit}}"]
    if subprocess.run(commit, capture_output=True, check=False).returncode != 0:
        pytest.skip("no clone with its history: a source archive, or a shallow clone")
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-tree", "--name-only", models.HISTORY, "models/"],
        capture_output=True,
        text=True,
        check=True,
    )
    gone = {f"models/{name}.safetensors" for name in RELEASED} - {
        f"models/{name}.safetensors" for name in models.packaged()
    }
    assert gone <= set(listed.stdout.split())


@pytest.mark.parametrize("name", THERE)
def test_fingerprint_and_round_trip(name: str) -> None:
    codec = rnncodec.load(name)
    assert codec.fingerprint.hex() == RELEASED[name]
    y, x = np.mgrid[0:48, 0:64]
    pixels = np.stack([4 * x, 5 * y, 255 - 2 * x - 2 * y], -1).astype(np.uint8)
    data = codec.encode(Image.fromarray(pixels), iterations=4)
    np.testing.assert_array_equal(codec.decode_codes(data), codec.encode_codes(pixels)[:4])
    error = np.asarray(codec.decode(data)).astype(float) - pixels
    assert 10 * np.log10(255**2 / (error**2).mean()) > 18, "it is a trained model"


@pytest.mark.parametrize("name", THERE)
def test_codes_of_a_stored_file_are_what_they_were(name: str) -> None:
    codec = rnncodec.load(name)
    bits = np.random.default_rng(7).integers(0, 2, (3, 2, 3, 32), np.uint8)
    chances = codec.model.entropy.probabilities(torch.from_numpy(bits)[None])
    digest = hashlib.sha256(chances.numpy().astype("<i4").tobytes()).hexdigest()
    assert digest == PROBABILITIES[name]
