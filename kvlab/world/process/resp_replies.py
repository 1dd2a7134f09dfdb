"""From answers to bytes: the replies of the Redis protocol, version 2 and version 3.

A version 3 client is told what a thing is (a map, a set, nothing at all); a version 2 client gets the same
in arrays. `Wire` is which of the two a connection speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

END = b"\r\n"
OK = b"+OK\r\n"
EMPTY_ARRAY = b"*0\r\n"

ANNOUNCED = [b"$%d" % size for size in range(2048)]
"""The lines that announce strings of the usual lengths: made once, as Redis does."""
BULK = [line + END for line in ANNOUNCED]


SHOWN_BYTES_MAX = 128
"""So much of an argument is shown in an error, as Redis does."""


class Complaint(Exception):
    """An error reply in Redis' own words: an upper-case code, a space, a text."""


def integer(number: int) -> bytes:
    return b":%d\r\n" % number


def simple(text: str) -> bytes:
    return b"+%b\r\n" % text.encode()


def bulk(value: bytes | str) -> bytes:
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return b"$%d\r\n%b\r\n" % (len(value), value)


def array(replies: Sequence[bytes]) -> bytes:
    """An array of replies that are bytes already."""
    return b"*%d\r\n%b" % (len(replies), b"".join(replies))


def bulks(values: Iterable[bytes | str]) -> bytes:
    """An array of bulk strings."""
    return array([bulk(value) for value in values])


def error(text: str) -> bytes:
    """An error reply; a line break in it would be the end of it, so it becomes a space."""
    line = text.replace("\r", " ").replace("\n", " ")
    return b"-%b\r\n" % line.encode("utf-8", "backslashreplace")


def text_of(argument: bytes) -> str:
    """An argument, to be shown in an error."""
    return argument[:SHOWN_BYTES_MAX].decode("utf-8", "backslashreplace")


class Wire:
    """The protocol version of one connection, and the replies that depend on it."""

    def __init__(self, version: int = 2) -> None:
        self.version = version
        self.nil = b"_\r\n" if version == 3 else b"$-1\r\n"

    def map(self, pairs: Mapping[str, bytes]) -> bytes:
        """Names and replies: a map, or an array in which they take turns."""
        body = b"".join(bulk(name) + reply for name, reply in pairs.items())
        if self.version == 3:
            return b"%%%d\r\n%b" % (len(pairs), body)
        return b"*%d\r\n%b" % (2 * len(pairs), body)

    def flags(self, names: Sequence[str]) -> bytes:
        """A set of short words, or an array of them."""
        body = b"".join(simple(name) for name in names)
        return b"%b%d\r\n%b" % (b"~" if self.version == 3 else b"*", len(names), body)

    def text(self, text: str) -> bytes:
        """A text to be shown as it stands."""
        data = text.encode()
        return b"=%d\r\ntxt:%b\r\n" % (len(data) + 4, data) if self.version == 3 else bulk(data)
