"""From bytes to requests: what a Redis client sends, however the network cuts it up.

A request is a list of bytes, the command's name first. Clients send it as an array of bulk strings
(`*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nk\\r\\n`), a person at a telnet as an inline line (`GET k`), and
`redis-cli --pipe` mixes both in one stream.

Two parsers, one of them fast. hiredis (C) takes a chunk that consists of whole arrays, which is nearly
every chunk. It was made for replies, so it reads things that no request may hold, keeps no account of
where a request ended, and reserves whatever room an array claims to need. So its result counts only when
the chunk is seen to be exactly those requests; all else goes to the parser below it, which is written by
hand, exact, and three times as slow. (Plain GETs and SETs seldom come here: see resp.py.)

Source: the Redis serialization protocol specification; the limits and error texts are Redis' own.
Deviation: Redis takes arguments of 512 MiB; here a whole request is at most REQUEST_BYTES_MAX.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TypeAlias

import hiredis

from kvlab.errors import BadFrame

Request: TypeAlias = list[bytes]

REQUEST_BYTES_MAX = 64 * 1024 * 1024
"""The most that the arguments of one request may hold together."""
ARGUMENTS_MAX = 1024 * 1024
LINE_BYTES_MAX = 64 * 1024
"""The most that an inline command, or the line before an argument, may hold."""

_STAR, _DOLLAR = b"*$"
_CLAIMS_MUCH = re.compile(rb"\*[+-]?\d{7}").search  # seven digits: hiredis would reserve 8 MB or more
_LENGTH = re.compile(rb"[+-]?\d{1,18}").fullmatch
_WORD = re.compile(
    rb"""\s*+([^\s"']*+)                   # a word, which may end in
         (?:"((?:\\.|[^"\\])*)"            # "a quoted part \x41 \n \"", or
           |'((?:\\'|[^'])*)')?            # 'one that knows no escape but \''
         (?=\s|$)""",
    re.VERBOSE | re.DOTALL,
).match
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


class Parser:
    """One connection's stream. After `error` is set, no byte of it can be understood any more."""

    def __init__(self) -> None:
        self.error: str | None = None
        self._reader = hiredis.Reader()
        # The parser by hand: bytes not yet understood, and the request that they are to complete.
        self._buffer = bytearray()
        self._at = 0
        self._wanted = 0  # below this many bytes there is no point in trying
        self._request: Request = []
        self._missing = 0  # how many arguments the request still lacks
        self._room = REQUEST_BYTES_MAX

    @property
    def amid(self) -> bool:
        """Whether a request has begun to arrive, or nothing can be understood any more."""
        return bool(self._buffer or self._missing or self.error)

    def feed(self, data: bytes) -> list[Request]:
        """The requests that these bytes complete, in order; sets `error` at the first that is malformed."""
        amid = bool(self._buffer or self._missing)
        if not amid and data[0] == _STAR and (whole := self._whole(data)) is not None:
            return whole
        requests: list[Request] = []
        try:
            if amid:
                self._buffer += data
                if (request := self._next()) is None:
                    return requests
                requests.append(request)
                data = self._rest()
            # The chunk may end in the midst of a request: then the fast parser takes what stands before it.
            cut = data.rfind(b"\r\n*") + 2
            if data[:1] == b"*" and cut > 1 and (whole := self._whole(data[:cut])) is not None:
                requests += whole
                data = data[cut:]
            self._buffer += data
            while (request := self._next()) is not None:
                requests.append(request)
            self._buffer = bytearray(self._rest())
        except BadFrame as error:
            self.error = str(error)
        return [request for request in requests if request]

    # -- the fast parser -------------------------------------------------------------------------

    def _whole(self, data: bytes) -> list[Request] | None:
        """The requests in `data`, if it is known to hold whole requests and nothing else."""
        if data[-2:] != b"\r\n" or _CLAIMS_MUCH(data):
            return None
        requests: list[Request] = []
        lines = -1
        try:
            self._reader.feed(data)
            gets = self._reader.gets
            while (request := gets()) is not False:
                requests.append(request)
            b"".join(chain.from_iterable(requests))  # raises TypeError unless all arguments are bytes
            if all(requests):
                lines = len(requests) + 2 * sum(map(len, requests))
        except (hiredis.HiredisError, TypeError):
            pass  # the exact parser will say what is wrong
        # Each array has a line of its own and two for each argument. A line more is the beginning of
        # another request, or a value that holds a line break: the exact parser will know.
        if lines != data.count(b"\r\n"):
            self._reader = hiredis.Reader()
            return None
        return requests

    # -- the exact parser ------------------------------------------------------------------------

    def _rest(self) -> bytes:
        """Take what the exact parser has not consumed out of its buffer."""
        rest = bytes(self._buffer[self._at :])
        self._buffer.clear()
        self._at = 0
        return rest

    def _next(self) -> Request | None:
        """The next request, [] for an empty line, None if its end has not arrived. Raises BadFrame."""
        if not self._missing:
            if self._at == len(self._buffer):
                return None
            if self._buffer[self._at] != _STAR:
                return self._inline()
            if (count := self._length("multibulk", "mbulk count", ARGUMENTS_MAX)) is None:
                return None
            self._request, self._missing, self._room = [], max(count, 0), REQUEST_BYTES_MAX
        while self._missing:
            if (argument := self._argument()) is None:
                self._forget_consumed()
                return None
            self._request.append(argument)
            self._missing -= 1
        return self._request

    def _forget_consumed(self) -> None:
        del self._buffer[: self._at]
        self._wanted -= self._at
        self._at = 0

    def _argument(self) -> bytes | None:
        if len(self._buffer) < self._wanted or self._at == len(self._buffer):
            return None
        start = self._at
        if self._buffer[start] != _DOLLAR:
            got = chr(self._buffer[start])
            raise BadFrame(f"expected '$', got '{got if got.isprintable() else ' '}'")
        length = self._length("bulk", "bulk count", self._room)
        if length is None:
            return None
        if length < 0:
            raise BadFrame("invalid bulk length")
        end = self._at + length
        if len(self._buffer) < end + 2:
            self._at, self._wanted = start, end + 2
            return None
        argument = bytes(self._buffer[self._at : end])
        self._at = end + 2  # whatever the two bytes are: Redis does not look either
        self._room -= length
        self._wanted = 0
        return argument

    def _length(self, what: str, line_name: str, most: int) -> int | None:
        """The number on the line that begins here with a type byte; None if its end has not arrived."""
        end = self._buffer.find(b"\r", self._at, self._at + LINE_BYTES_MAX)
        if end < 0:
            if len(self._buffer) - self._at >= LINE_BYTES_MAX:
                raise BadFrame(f"too big {line_name} string")
            return None
        if end + 2 > len(self._buffer):
            return None
        digits = bytes(self._buffer[self._at + 1 : end])
        if not _LENGTH(digits):
            raise BadFrame(f"invalid {what} length")
        length = int(digits)
        if length > most:
            limit = f"{ARGUMENTS_MAX} arguments" if what == "multibulk" else f"{REQUEST_BYTES_MAX} bytes"
            raise BadFrame(f"invalid {what} length: a request may hold {limit}")
        self._at = end + 2
        return length

    def _inline(self) -> Request | None:
        end = self._buffer.find(b"\n", self._at, self._at + LINE_BYTES_MAX)
        if end < 0:
            if len(self._buffer) - self._at >= LINE_BYTES_MAX:
                raise BadFrame("too big inline request")
            return None
        line = bytes(self._buffer[self._at : end]).removesuffix(b"\r")
        self._at = end + 1
        return split_words(line)


def split_words(line: bytes) -> Request:
    """The words of an inline command, quotes and escapes resolved. Raises BadFrame for a quote left open."""
    words = []
    line = line.strip()
    at = 0
    while at < len(line):
        word = _WORD(line, at)
        if word is None:
            raise BadFrame("unbalanced quotes in request")
        plain, double, single = word.groups()
        words.append(plain + _unescaped(double or b"") + (single or b"").replace(b"\\'", b"'"))
        at = word.end()
    return words


def _unescaped(text: bytes) -> bytes:
    def resolve(escape: re.Match[bytes]) -> bytes:
        code, letter = escape.groups()
        return bytes([int(code, 16)]) if code else _ESCAPES.get(letter, letter)

    return _ESCAPE.sub(resolve, text)
