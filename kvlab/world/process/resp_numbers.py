"""Redis' notions of a number, a pattern and a moment, as its commands take them."""

from __future__ import annotations

import re
from collections.abc import Callable

from kvlab.world.process.resp_replies import Complaint

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}").fullmatch
NOT_AN_INTEGER = "ERR value is not an integer or out of range"

PATTERN_BYTES_MAX = 1024
"""A pattern of megabytes would be a regular expression of gigabytes, and the node would do nothing else."""


def integer_of(text: bytes, complaint: str = NOT_AN_INTEGER) -> int:
    """The 64-bit integer written here as Redis would write it: no plus, no leading zero, no space."""
    if _INTEGER(text):
        number = int(text)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    raise Complaint(complaint)


def moment(amount: int, unit_ms: int, since_ms: int, command: str) -> int:
    """`amount` units after `since_ms`, in ms. Raises Complaint where Redis' 64 bits would overflow."""
    at_ms = amount * unit_ms + since_ms
    if not (INT64_MIN <= amount * unit_ms <= INT64_MAX and INT64_MIN <= at_ms <= INT64_MAX):
        raise Complaint(f"ERR invalid expire time in '{command}' command")
    return at_ms


def glob(pattern: bytes) -> Callable[[bytes], bool]:
    """A test for keys: `*` any bytes, `?` one byte, `[a-z]` `[^a]` one of a set, `\\` quotes the next.

    Stars are matched leftmost and never reconsidered (atomic groups), which finds the same keys and
    cannot be made to take exponential time by a pattern such as a*a*a*a*b.

    Raises Complaint if the pattern is longer than PATTERN_BYTES_MAX.
    """
    if len(pattern) > PATTERN_BYTES_MAX:
        raise Complaint(
            f"ERR a pattern may hold {PATTERN_BYTES_MAX} bytes, and this one holds {len(pattern)}"
        )
    parts = [b""]
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            parts.append(b"")
        elif byte == b"?":
            parts[-1] += b"."
        elif byte == b"[":
            group, at = _group(pattern, at)
            parts[-1] += group
        else:
            if byte == b"\\" and at < len(pattern):
                byte = pattern[at : at + 1]
                at += 1
            parts[-1] += re.escape(byte)
    first, *middle = parts
    if not middle:
        test = first
    else:
        last = middle.pop()
        test = first + b"".join(b"(?>.*?%b)" % part for part in middle if part) + b".*" + last
    match = re.compile(test, re.DOTALL).fullmatch
    return lambda key: match(key) is not None


def _group(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The set that begins after a `[`, as a regular expression, and where the pattern goes on.

    As in Redis, a set that is left open ends with the pattern, and a range may be given backwards.
    """
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members: set[int] = set()
    while at < len(pattern) and pattern[at] != 0x5D:  # ]
        if pattern[at] == 0x5C and at + 1 < len(pattern):  # a backslash
            members.add(pattern[at + 1])
            at += 2
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.update(range(low, high + 1))
            at += 3
        else:
            members.add(pattern[at])
            at += 1
    if not members:
        return b"." if negated else b"(?!)", at + 1
    return b"[%b%b]" % (b"^" * negated, b"".join(b"\\x%02x" % byte for byte in sorted(members))), at + 1
