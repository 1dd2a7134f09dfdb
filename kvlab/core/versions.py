"""Versions: of two copies of one key, which was written last, as far as clocks can tell.

Source: DeCandia et al. 2007, section 4.4 ("last write wins"); Cassandra breaks ties as here.
Invariant: `newest` is commutative, associative and idempotent: whatever order copies meet in, and however
    often, all replicas that have met the same ones hold the same one.
Deviation: stamps are milliseconds, so two writes may have the same one. Then a tombstone wins over a value,
    and of two values the greater one: an arbitrary choice, but everywhere the same. The other write is lost.
"""

from __future__ import annotations

from typing import overload

from kvlab.messages import Version


@overload
def newest(a: Version, b: Version | None) -> Version: ...
@overload
def newest(a: Version | None, b: Version) -> Version: ...
@overload
def newest(a: Version | None, b: Version | None) -> Version | None: ...
def newest(a: Version | None, b: Version | None) -> Version | None:
    """The later of the two; None is earlier than anything."""
    if a is None or b is None:
        return a or b
    return max(a, b, key=_rank)


def reconcile(mine: Version | None, theirs: Version, told: bool) -> tuple[Version, bool]:
    """(which of two copies stays, whether a write is thereby lost that a client was told is done).

    `told`: mine is a write that this node has acknowledged, and theirs was made without knowing of it.
    """
    stays = newest(mine, theirs)
    return stays, told and stays != mine


def _rank(version: Version) -> tuple[int, bool, bytes, int]:
    expires_ms = version.expires_ms
    return (
        version.stamp_ms,
        version.value is None,
        version.value or b"",
        -1 if expires_ms is None else expires_ms,
    )
