"""The reference of chapter 2: an order of versions without ties, and a node that asks who is missing.

The order of the steps is the lesson. A refusal comes before anything was done; a write is held here before
anybody else hears of it; and a read looks for doubt after it has looked at the copy.
"""

from __future__ import annotations

from kvlab.course.given import GivenCapNode
from kvlab.errors import ReplicasMissing
from kvlab.messages import Item, Key, Version


def newest(a: Version | None, b: Version | None) -> Version | None:
    """Which of two copies was written last; None is earlier than anything."""
    if a is None or b is None:
        return a or b
    return max(a, b, key=rank)


def rank(version: Version) -> tuple[int, bool, bytes, int]:
    """Versions in order: two that are not the same are never equal here."""
    expires_ms = -1 if version.expires_ms is None else version.expires_ms
    return version.stamp_ms, version.value is None, version.value or b"", expires_ms


def reconcile(mine: Version | None, theirs: Version, told: bool) -> tuple[Version, bool]:
    """(which copy stays, whether an acknowledged write is lost by that)."""
    stays = newest(mine, theirs) or theirs
    return stays, told and stays != mine


class CapNode(GivenCapNode):
    """One of three nodes, each of which holds every key."""

    reconcile = staticmethod(reconcile)

    async def put(self, key: Key, item: Item, w: int | None = None) -> None:
        await self.unlocked()
        await self.write(key, Version(item.value, self.stamp(key), item.expires_ms))

    async def get(self, key: Key, r: int | None = None) -> Version | None:
        begun = await self.has_begun()
        if self.consistent and not begun:
            raise self.busy()
        copy = self.held(key)
        if self.consistent:
            await self.beyond_doubt(key)
        return copy if copy is not None and copy.alive else None

    async def unlocked(self) -> None:
        await self.has_begun()
        if self.consistent and self.missing():
            raise self.locked()

    async def write(self, key: Key, version: Version) -> None:
        self.hold(key, version)
        if self.consistent:
            await self.confirm(key, version)
        else:
            self.env.later(self.spread(key, version))

    async def beyond_doubt(self, key: Key) -> None:
        version = self.in_doubt(key)
        if version is None:
            return
        if self.missing():
            raise self.doubtful()
        try:
            await self.confirm(key, version)
        except ReplicasMissing:
            raise self.doubtful() from None
