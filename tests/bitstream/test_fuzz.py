import numpy as np
import pytest
from tests.bitstream.fuzz import MAX_GROWTH, Campaign, Decode, Target, judge, originals
from tests.bitstream.stand_in import Neighbours

from rnncodec.bitstream import Codes

SOURCE = Neighbours()
TARGET = Target.of(SOURCE)
FILES = originals(SOURCE)


def test_two_thousand_mutants() -> None:
    campaign = Campaign(TARGET, FILES)
    refused = 0
    for index in range(2000):
        mutant = campaign.mutant(index)
        verdict = judge(TARGET.decode, mutant)
        assert not verdict.complaint, f"mutant {index} ({mutant.name}): {verdict.complaint}"
        refused += verdict.refused
    assert 1000 < refused < 1950  # some mutants are valid files, and those are decoded
    assert campaign.growth < MAX_GROWTH


def without_the_last_check(data: bytes) -> Codes:
    return TARGET.peek(data)


def with_wrong_bits(data: bytes) -> Codes:
    return 1 - TARGET.decode(data)


def with_a_foreign_error(data: bytes) -> Codes:
    return np.frombuffer(data[5:38], ">u4").astype(np.uint8)


def with_lost_iterations(data: bytes) -> Codes:
    return TARGET.decode(data)[:0]


@pytest.mark.parametrize(
    "decode",
    [without_the_last_check, with_wrong_bits, with_a_foreign_error, with_lost_iterations],
)
def test_the_oracle_knows_a_decoder_that_is_wrong(decode: Decode) -> None:
    campaign = Campaign(TARGET, FILES)
    assert any(judge(decode, campaign.mutant(index)).complaint for index in range(200))
