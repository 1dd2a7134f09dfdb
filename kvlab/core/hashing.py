"""A stable hash: the same key has the same token in every process, on every machine, every day.

Source: MurmurHash3 x64 128 (Austin Appleby), the first 64 bits. Cassandra's partitioner is nearly the
    same: the last bytes of a key it takes for signed numbers, so that from 0x80 on they give other tokens.
Why not `hash()`: Python salts it for every process, so two nodes would place one key differently, and
each would be right by its own lights.
"""

from __future__ import annotations

from typing import TypeAlias

import mmh3

Token: TypeAlias = int
"""A point on the ring: 0 <= token < RING_SIZE."""

RING_SIZE = 2**64


def token(data: bytes) -> Token:
    """Where on the ring these bytes fall; uniform over the ring."""
    return mmh3.hash64(data, signed=False)[0]
