"""UUIDv7: RFC 9562's own example, and what ids of ours promise."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.ids import uuid7

TIMES = st.integers(0, 2**42).map(lambda milliseconds: milliseconds / 1000)
ENTROPY = st.binary(min_size=10, max_size=10)


def test_the_example_of_the_standard() -> None:
    # RFC 9562, A.6: rand_a is 0xCC3, rand_b 0x18C4DC0C0C07398F.
    entropy = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    found = uuid7(1645557742.000, entropy)
    assert found == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(TIMES, ENTROPY)
def test_it_is_a_version_7_of_its_moment(now: float, entropy: bytes) -> None:
    found = uuid.UUID(uuid7(now, entropy))
    assert found.version == 7
    assert found.variant == uuid.RFC_4122
    assert found.int >> 80 == int(now * 1000)


@given(TIMES, TIMES, ENTROPY, ENTROPY)
def test_ids_sort_by_time(one: float, two: float, a: bytes, b: bytes) -> None:
    if int(one * 1000) < int(two * 1000):
        assert uuid7(one, a) < uuid7(two, b)


@given(TIMES, ENTROPY, ENTROPY)
def test_seventy_four_bits_tell_those_of_one_moment_apart(
    now: float, a: bytes, b: bytes
) -> None:
    def bits(entropy: bytes) -> int:
        """What is kept: 12 bits, and the lower 62 of the next 64."""
        value = int.from_bytes(entropy, "big")
        return (value >> 64 & 0xFFF) << 62 | value & (1 << 62) - 1

    assert (uuid7(now, a) == uuid7(now, b)) == (bits(a) == bits(b))
