"""However a stream of requests is cut into chunks, the same requests come out; and any bytes may come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvlab.errors import BadFrame
from kvlab.world.process.resp_numbers import glob
from kvlab.world.process.resp_parser import (
    ARGUMENTS_MAX,
    REQUEST_BYTES_MAX,
    Parser,
    Request,
    split_words,
)
from tests.resp.port import request

words = st.lists(st.binary(max_size=30) | st.sampled_from([b"\r\n", b"\r\n*1\r\n", b"*1234567"]), min_size=1)
pieces = st.sampled_from(
    [b"*", b"$", b"\r\n", b"1", b"3", b"-1", b":", b"+", b"%", b"PING", b"'", b'"', b" ", b"_"]
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(mark % (len(data) + 1) for mark in at)})
    return [data[a:b] for a, b in pairwise(marks)]


def parse(chunks: list[bytes]) -> tuple[list[Request], str | None]:
    parser = Parser()
    requests: list[Request] = []
    for chunk in chunks:
        if parser.error is None:
            requests += parser.feed(chunk)
    return requests, parser.error


@given(st.lists(words, max_size=8), st.lists(st.integers(0, 10_000), max_size=6))
def test_requests_come_out_as_they_were_sent_wherever_the_network_cuts(
    sent: list[Request], at: list[int]
) -> None:
    data = b"".join(request(*args) for args in sent)
    assert parse(cut(data, at)) == (sent, None)


@given(st.lists(words, max_size=4), st.lists(st.integers(0, 10_000), max_size=6))
def test_inline_commands_may_stand_between_arrays(sent: list[Request], at: list[int]) -> None:
    data = b"".join(request(*args) + b"PING  hi\r\n\r\n" for args in sent)
    assert parse(cut(data, at)) == ([args for one in sent for args in (one, [b"PING", b"hi"])], None)


@given(
    st.lists(pieces | st.binary(max_size=4), max_size=40).map(b"".join),
    st.lists(st.integers(0, 300), max_size=4),
)
@example(b"*2\r\n$3\r\nGET\r\n:1\r\n*1\r\n", [])
@example(b"*1\r\n_\r\n", [])
@example(b"%1\r\n+a\r\n+b\r\n", [])
@example(b"*1\r\n%1\r\n*0\r\n+b\r\n", [])
def test_any_bytes_give_words_or_one_error_and_the_cuts_do_not_matter(data: bytes, at: list[int]) -> None:
    requests, error = parse(cut(data, at))
    assert all(type(word) is bytes for args in requests for word in args)
    assert all(requests)
    if error is None:
        assert parse([data[i : i + 1] for i in range(len(data))]) == (requests, None)


def test_a_request_split_into_single_bytes_is_put_together_again() -> None:
    data = request(b"SET", b"k", b"v" * 100) + b"PING\r\n"
    assert parse([data[i : i + 1] for i in range(len(data))]) == (
        [[b"SET", b"k", b"v" * 100], [b"PING"]],
        None,
    )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*%d\r\n" % (ARGUMENTS_MAX + 1), "invalid multibulk length: a request may hold"),
        (b"*1\r\n$%d\r\n" % (REQUEST_BYTES_MAX + 1), "invalid bulk length: a request may hold"),
        (b"*3\r\n$1\r\na\r\n$2\r\nbb\r\n$%d\r\n" % (REQUEST_BYTES_MAX - 2), "invalid bulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (request(b"PING") + b"*4294967295\r\n", "invalid multibulk length"),
        (b"x" * 65536, "too big inline request"),
    ],
)
def test_what_is_larger_than_the_stated_limits_is_refused_at_its_announcement(
    data: bytes, error: str
) -> None:
    assert (parse([data])[1] or "").startswith(error)


def test_a_request_as_large_as_the_limit_is_taken() -> None:
    value = bytes(REQUEST_BYTES_MAX - 4)
    data = request(b"SET", b"k", value)
    assert parse(cut(data, list(range(0, len(data), 1_000_000)))) == ([[b"SET", b"k", value]], None)


def test_an_open_quote_is_an_error_and_not_an_endless_word() -> None:
    with pytest.raises(BadFrame, match="unbalanced quotes"):
        split_words(b'SET a "x')


@pytest.mark.parametrize("stars", [1, 50])
def test_a_pattern_of_many_stars_takes_no_exponential_time(stars: int) -> None:
    assert not glob(b"a*" * stars + b"b")(b"a" * 5000)
    assert glob(b"a*" * stars + b"b")(b"a" * 5000 + b"b")


@given(st.lists(st.sampled_from([b"a", b"b", b"*", b"?"]), max_size=8), st.text("ab", max_size=8))
def test_a_pattern_matches_what_its_definition_says(pattern: list[bytes], text: str) -> None:
    def matches(pattern: list[bytes], key: bytes) -> bool:
        if not pattern:
            return not key
        if pattern[0] == b"*":
            return matches(pattern[1:], key) or (key != b"" and matches(pattern, key[1:]))
        return key != b"" and pattern[0] in (b"?", key[:1]) and matches(pattern[1:], key[1:])

    assert glob(b"".join(pattern))(text.encode()) == matches(pattern, text.encode())


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (b"[^a]", b"\n\xff-^]", b"a"),
        (b"[^", b"\n^a", b""),
        (b"[", b"", b"[a\n"),
        (b"[]", b"", b"]["),
        (b"[z-a]", b"amz", b"-A"),
        (b"[\\^-]", b"^-", b"\\"),
        (b"[^\\]x]", b"ab\\", b"]x"),
    ],
)
def test_a_set_matches_one_byte_of_it(pattern: bytes, matching: bytes, other: bytes) -> None:
    matches = glob(pattern)
    assert all(matches(matching[i : i + 1]) for i in range(len(matching)))
    assert not any(matches(other[i : i + 1]) for i in range(len(other)))
