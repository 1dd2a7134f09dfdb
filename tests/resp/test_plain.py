"""The short cut for a lone GET or SET understands what the exact parser does, or nothing."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from kvlab.world.process.resp_parser import Parser, parse_plain


def frame(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


pieces = st.binary(max_size=6) | st.sampled_from([b"\r\n", b"$1\r\na", b"\r\n$1\r\n", b"GET", b"set", b""])
names = st.sampled_from([b"GET", b"get", b"SeT", b"SET", b"DEL"])


@given(names, pieces, pieces, st.integers(-2, 2))
@example(b"GET", b"a\r\n", b"", 0)
@example(b"SET", b"k", b"\r\n$1\r\nx", 0)
def test_it_agrees_with_the_exact_parser(name: bytes, key: bytes, value: bytes, wrong_by: int) -> None:
    whole = frame(name, key) if name.upper() == b"GET" else frame(name, key, value)
    lying = whole.replace(b"$%d" % len(key), b"$%d" % max(0, len(key) + wrong_by), 1)
    for data in (whole, lying, whole + whole, whole[:-1], whole[:-2], whole + b"P", b"\r\n" + whole):
        plain = parse_plain(data)
        if plain is not None:
            assert Parser().feed(data) == [plain]
    if name != b"DEL":
        assert parse_plain(whole) == Parser().feed(whole)[0]


@given(st.binary(max_size=40))
def test_noise_is_left_to_the_exact_parser(noise: bytes) -> None:
    assert parse_plain(noise) is None
    assert parse_plain(b"*2\r\n$3\r\nGET\r\n" + noise) in (
        None,
        *Parser().feed(b"*2\r\n$3\r\nGET\r\n" + noise),
    )
