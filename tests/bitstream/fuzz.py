"""A campaign of damaged and forged files: `python -m tests.bitstream.fuzz --help`.

Half of the mutants are made of bytes (flipped, cut, removed, inserted, spliced, random), half in
the structure, with every checksum recomputed by an independent writer. A mutant comes with what
its checksums vouch for: the packed codes of each segment. The oracle:

    A decoder raises BitstreamError, or it returns codes equal to those vouched for, in the
    shape that the mutant's header states, for at least one iteration and no more than it has.
    It takes at most 2 s, and the process as a whole never grows by 1 GiB.

For byte mutants that is: an error, or the first iterations of the original. Part of the forged
files are made consistent, their checksums vouching for what the payloads do decode to: valid
files of another image, which must be decoded to just that.
"""

import argparse
import copy
import hashlib
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.bitstream.forge import Forged, packed_codes, take_apart
from tests.bitstream.mutations import BYTE_MUTATIONS, STRUCTURE_MUTATIONS
from tests.bitstream.stand_in import (
    Neighbours,
    ProbabilitySource,
    decode_file,
    encode_file,
    sample,
)

from rnncodec.bitstream import Codes, ColourMode, Header
from rnncodec.errors import BitstreamError, RNNCodecError

Decode = Callable[[bytes], Codes]
MAX_SECONDS = 2.0
MAX_GROWTH = 1 << 30
CONSISTENT_SHARE = 0.3


@dataclass(frozen=True)
class Target:
    """What is under test: `decode` a file to verified codes (n, h, w, 32).

    `peek` decodes without verifying; it serves to make forged files consistent. `refusal` is
    what `decode` may raise.
    """

    decode: Decode
    peek: Decode
    refusal: type[RNNCodecError] = BitstreamError

    @classmethod
    def of(cls, source: ProbabilitySource) -> "Target":
        return cls(
            decode=lambda data: decode_file(data, source)[1],
            peek=lambda data: decode_file(data, source, verify=False)[1],
        )


class Mutant(NamedTuple):
    """A file, and the packed codes that its checksums vouch for, one entry per segment."""

    name: str
    data: bytes
    vouched: Sequence[bytes]


class Verdict(NamedTuple):
    """What became of a mutant; `complaint` is empty if the oracle holds."""

    refused: bool
    complaint: str
    seconds: float


class Campaign:
    """Mutants of `originals` (files that `target` decodes), each a function of seed and index."""

    def __init__(self, target: Target, originals: Sequence[bytes], seed: int = 0) -> None:
        self._target, self._originals, self._seed = target, originals, seed
        self._forged = [take_apart(data, target.decode(data)) for data in originals]
        self._memory = _peak_memory()

    def mutant(self, index: int) -> Mutant:
        rng = Random(f"{self._seed}:{index}")
        return self._forge(rng) if index % 2 else self._damage(rng)

    def judge(self, mutant: Mutant) -> Verdict:
        return judge(self._target.decode, mutant, self._target.refusal)

    @property
    def growth(self) -> int:
        """Bytes by which the peak memory of the process grew since the campaign began."""
        return _peak_memory() - self._memory

    def _damage(self, rng: Random) -> Mutant:
        mutate = rng.choice(BYTE_MUTATIONS)
        data = mutate(rng, rng.choice(self._originals), rng.choice(self._originals))
        vouched = [
            [segment.packed for segment in forged.segments]
            for original, forged in zip(self._originals, self._forged, strict=True)
            if original[:38] == data[:38]
        ]
        return Mutant(mutate.__name__, data, vouched[0] if vouched else [])

    def _forge(self, rng: Random) -> Mutant:
        forged = copy.deepcopy(rng.choice(self._forged))
        mutations = rng.choices(STRUCTURE_MUTATIONS, k=rng.choice([1, 1, 2, 3]))
        for mutate in mutations:
            mutate(rng, forged)
        if rng.random() < CONSISTENT_SHARE:
            self._make_consistent(forged)
        name = "".join(mutate.__name__ for mutate in mutations)
        return Mutant(name, forged.pack(), [segment.packed for segment in forged.segments])

    def _make_consistent(self, forged: Forged) -> None:
        try:
            codes = self._target.peek(forged.pack())
        except self._target.refusal:
            return
        adaptive = bool(forged.pack()[5] & 2)
        found = packed_codes(codes, adaptive=adaptive)
        for segment, packed in zip(forged.segments, found, strict=False):
            segment.packed = packed


def judge(
    decode: Decode, mutant: Mutant, refusal: type[RNNCodecError] = BitstreamError
) -> Verdict:
    """Decode a mutant and hold the outcome against the oracle (all but the memory)."""
    start, refused = time.process_time(), False
    try:
        complaint = _compare(decode(mutant.data), mutant)
    except refusal:
        refused, complaint = True, ""
    except Exception as error:  # noqa: BLE001  any other exception is what we are looking for
        complaint = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    if seconds > MAX_SECONDS and not complaint:
        complaint = f"took {seconds:.1f} s"
    return Verdict(refused, complaint, seconds)


def _compare(codes: Codes, mutant: Mutant) -> str:
    width, height = (int.from_bytes(mutant.data[at : at + 4], "big") for at in (8, 12))
    shape = (-(-height // 16), -(-width // 16), 32)
    if codes.shape[1:] != shape:
        return f"codes of shape {codes.shape[1:]} for a file of {shape}"
    if not 1 <= len(codes) <= len(mutant.vouched):
        return f"{len(codes)} iterations of a file that has {len(mutant.vouched)}"
    found = packed_codes(codes, adaptive=bool(mutant.data[5] & 2))
    for t, (packed, vouched) in enumerate(zip(found, mutant.vouched, strict=False)):
        if packed != vouched:
            return f"iteration {t + 1} has other codes than its checksum vouches for"
    return ""


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def originals(source: ProbabilitySource) -> list[bytes]:
    """Small files of every kind; no two have the same header."""
    headers = [
        Header(width=40, height=24, iterations=3, fingerprint=bytes(16)),
        Header(width=16, height=16, iterations=1, fingerprint=b"\1" * 16),
        Header(width=70, height=50, iterations=3, fingerprint=b"\2" * 16, tile=32),
        Header(width=33, height=65, iterations=2, fingerprint=bytes(16), icc_profile=b"profile"),
        Header(width=1, height=1, iterations=4, fingerprint=bytes(16), colour=ColourMode.GREY),
        Header(width=100, height=40, iterations=2, fingerprint=b"\5" * 16, tile=16),
        Header(width=90, height=50, iterations=4, fingerprint=b"\6" * 16, adaptive=True),
        Header(width=70, height=40, iterations=3, fingerprint=b"\7" * 16, tile=32, adaptive=True),
    ]
    files = [encode_file(h, sample(h, source, seed), source) for seed, h in enumerate(headers)]
    noise = Header(width=48, height=32, iterations=2, fingerprint=b"\3" * 16)  # is stored raw
    return [*files, encode_file(noise, 1 - sample(noise, source, 0), source)]


def conduct(campaign: Campaign, mutants: int, finds: Path) -> int:
    """Run a campaign and print what came of it; 1 if there are finds."""
    counts: Counter[str] = Counter()
    slowest, start = 0.0, time.perf_counter()
    for index in range(mutants):
        mutant = campaign.mutant(index)
        verdict = campaign.judge(mutant)
        slowest = max(slowest, verdict.seconds)
        counts["refused" if verdict.refused else "find" if verdict.complaint else "decoded"] += 1
        if verdict.complaint:
            _report(mutant, verdict, finds)
    rate = mutants / (time.perf_counter() - start)
    print(f"{mutants} mutants, {rate:.0f}/s: {dict(counts)}")
    print(f"slowest {slowest:.3f} s, peak memory grew by {campaign.growth / 2**20:.0f} MiB")
    return 1 if counts["find"] or campaign.growth > MAX_GROWTH else 0


def parse_arguments(mutants: int) -> argparse.Namespace:
    """The command line of a campaign of so many mutants unless told otherwise."""
    parser = argparse.ArgumentParser(description="Fuzz the decoder of rnc files.")
    parser.add_argument("--mutants", type=int, default=mutants)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finds", type=Path, default=Path("outputs/fuzz"))
    return parser.parse_args()


def main() -> int:
    """Run a campaign against the container; the exit status is 1 if there are finds."""
    arguments, source = parse_arguments(100_000), Neighbours()
    campaign = Campaign(Target.of(source), originals(source), arguments.seed)
    return conduct(campaign, arguments.mutants, arguments.finds)


def _report(mutant: Mutant, verdict: Verdict, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{mutant.name.strip('_')}-{hashlib.sha256(mutant.data).hexdigest()[:12]}.rnc"
    (folder / name).write_bytes(mutant.data)
    print(f"FIND {name}: {verdict.complaint}")


if __name__ == "__main__":
    sys.exit(main())
