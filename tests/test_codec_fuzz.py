"""A short campaign against the codec; `make fuzz` runs the long one."""

from tests.bitstream.fuzz import MAX_GROWTH, Campaign
from tests.codec_fuzz import GOLDEN, originals, target

from rnncodec.codec import load

CODEC = load(GOLDEN / "model.safetensors")


def test_four_hundred_mutants() -> None:
    campaign = Campaign(target(CODEC), originals(CODEC), seed=1)
    refused = 0
    for index in range(400):
        mutant = campaign.mutant(index)
        verdict = campaign.judge(mutant)
        assert not verdict.complaint, f"mutant {index} ({mutant.name}): {verdict.complaint}"
        refused += verdict.refused
    assert 200 < refused < 390  # some mutants are valid files, and those are decoded
    assert campaign.growth < MAX_GROWTH
