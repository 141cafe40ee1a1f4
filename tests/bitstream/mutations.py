"""What the fuzzing campaign does to a file: to its bytes, and to its structure."""

from collections.abc import Callable
from random import Random

from tests.bitstream.forge import Forged, ForgedSegment, groups_of_seven

ByteMutation = Callable[[Random, bytes, bytes], bytes]
StructureMutation = Callable[[Random, Forged], None]


def _flip_bits(rng: Random, data: bytes, _: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _set_byte(rng: Random, data: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(data))
    return (
        data[:at] + bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])]) + data[at + 1 :]
    )


def _cut(rng: Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _remove(rng: Random, data: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 9) :]


def _insert(rng: Random, data: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:]


def _splice(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _repeat_range(rng: Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data))
    stop = rng.randrange(start, len(data)) + 1
    return data[:stop] + data[start:]


def _overwrite_after_header(rng: Random, data: bytes, _: bytes) -> bytes:
    return data[:38] + rng.randbytes(len(data) - 38)


def _garbage(rng: Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.choice([0, 4, 8])] + rng.randbytes(rng.randrange(300))


BYTE_MUTATIONS: list[ByteMutation] = [
    _flip_bits,
    _set_byte,
    _cut,
    _remove,
    _insert,
    _splice,
    _repeat_range,
    _overwrite_after_header,
    _garbage,
]


def _side(rng: Random, old: int) -> int:
    near = max(0, old + rng.randrange(-20, 21))
    large = 1 << rng.randrange(32)
    return rng.choice([near, near, old * 2, 0, 1, 16, large, large - 1, rng.randrange(1 << 32)])


def _sizes(rng: Random, file: Forged) -> None:
    if rng.random() < 0.7:
        file.width = _side(rng, file.width) % (1 << 32)
    if rng.random() < 0.7:
        file.height = _side(rng, file.height) % (1 << 32)


def _area_at_the_limit(rng: Random, file: Forged) -> None:
    file.width = rng.choice([1, 16, 100, 9000, 9459])
    file.height = 89_478_485 // file.width


def _transpose(_: Random, file: Forged) -> None:
    file.width, file.height = file.height, file.width


def _iterations(rng: Random, file: Forged) -> None:
    file.iterations = rng.choice([0, 1, len(file.segments) + 1, 255, rng.randrange(256)])


def _tiling(rng: Random, file: Forged) -> None:
    file.blocks = rng.choice([0, 1, 2, 3, 65535, rng.randrange(65536)])


def _identity(rng: Random, file: Forged) -> None:
    field = rng.choice(["version", "flags", "colour", "fingerprint"])
    value = rng.randbytes(16) if field == "fingerprint" else rng.choice([0, 1, 2, 3, 128, 255])
    setattr(file, field, value)


def _profile(rng: Random, file: Forged) -> None:
    file.icc = rng.choice([b"", b"x", rng.randbytes(rng.randrange(60))])
    file.icc_length = rng.choice([None, 0, 1, len(file.icc) + 1, 1 << 22, (1 << 32) - 1])


def _segment(rng: Random, file: Forged) -> ForgedSegment:
    if not file.segments:
        file.segments.append(ForgedSegment(0, b"", b""))
    return rng.choice(file.segments)


def _mode(rng: Random, file: Forged) -> None:
    _segment(rng, file).mode = rng.randrange(4)


def _length(rng: Random, file: Forged) -> None:
    segment = _segment(rng, file)
    size = len(segment.payload)
    huge = rng.choice([(1 << 26) - 1, 1 << 26, 1 << 30, 1 << 60])
    segment.length = max(0, rng.choice([size - 1, size + 1, 0, rng.randrange(256), huge]))


def _repeat(rng: Random, file: Forged) -> None:
    file.segments.insert(rng.randrange(len(file.segments) + 1), _segment(rng, file))
    file.iterations = rng.choice([file.iterations, len(file.segments) % 256])


def _swap(rng: Random, file: Forged) -> None:
    rng.shuffle(file.segments)


def _drop(rng: Random, file: Forged) -> None:
    file.segments.remove(_segment(rng, file))
    file.iterations = rng.choice([file.iterations, len(file.segments)])


def _payload(rng: Random, file: Forged) -> None:
    segment = _segment(rng, file)
    damaged = bytearray(segment.payload or b"\0")
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    pieces = [bytes(damaged), segment.payload + rng.randbytes(rng.randrange(9))]
    pieces += [segment.payload[: rng.randrange(len(damaged))], b"", b"\xff" * len(damaged)]
    segment.payload = rng.choice(pieces)


def _tile_table(rng: Random, file: Forged) -> None:
    segment = _segment(rng, file)
    table = b"".join(groups_of_seven(rng.randrange(1 << rng.randrange(1, 30))) for _ in range(3))
    segment.payload = (table + segment.payload)[: len(segment.payload) + rng.randrange(3)]


def _another_image(rng: Random, file: Forged) -> None:
    segment = _segment(rng, file)
    packed = rng.randbytes(4 * -(-file.width // 16) * -(-file.height // 16) % 4096)
    segment.mode, segment.payload, segment.packed = 0, packed, packed


def _tail(rng: Random, file: Forged) -> None:
    file.tail = rng.randbytes(rng.randrange(1, 40))


STRUCTURE_MUTATIONS: list[StructureMutation] = [
    _sizes,
    _sizes,
    _area_at_the_limit,
    _transpose,
    _iterations,
    _tiling,
    _identity,
    _profile,
    _mode,
    _length,
    _repeat,
    _swap,
    _drop,
    _payload,
    _payload,
    _tile_table,
    _another_image,
    _tail,
]
