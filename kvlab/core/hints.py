"""Hints: what a node keeps for others who were away when it was written.

    owner  key        copy   expires
    n3     cart:42    bread  in 41 s
    n3     cart:7     milk   in 58 s
    n5     cart:42    bread  in 41 s

Source: DeCandia et al. 2007, section 4.6; that hints are bounded and expire, as in Cassandra and Voldemort.
Invariant: hints are no part of what the node itself holds: they are found by owner and key, and only so.
Invariant: a hint is forgotten once its owner has confirmed the very copy that is in it, or when it expires.
Invariant: no value is in a hint for longer than `ttl_ms`. Stage 9 relies on it: it forgets a tombstone only
    when no older value can be under way any more. So the clock by which hints expire is none that can be set.
Deviation: Dynamo keeps hints until they are delivered, however many that will be. Past our bound a hint is
    refused, which its coordinator hears: a write that nobody has room for is not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Generic, NamedTuple, TypeAlias

from kvlab.errors import HintsFull
from kvlab.messages import C, Copy, Key, NodeId

Place: TypeAlias = tuple[NodeId, Key]
"""By what a hint is found: its owner and its key."""


class Hint(NamedTuple, Generic[C]):
    """A copy that its owner has missed, and when it is too late to bring it, in ms by the keeper's clock."""

    copy: C
    expires_ms: int


class HintBox(Generic[C]):
    """The hints of one node. `merge` makes one copy of two, as the stage's replicas do.

    Adding, finding and forgetting are O(1).
    """

    def __init__(self, merge: Callable[[C, C], C], hints_max: int, ttl_ms: int) -> None:
        self.merge, self.hints_max, self.ttl_ms = merge, hints_max, ttl_ms
        self._hints: dict[NodeId, dict[Key, Hint[C]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._hints.values()))

    def counts(self) -> dict[NodeId, int]:
        """How many hints, by owner; only of owners that there are hints for."""
        return {owner: len(hints) for owner, hints in sorted(self._hints.items())}

    def get(self, key: Key, now_ms: int) -> C | None:
        """All that is kept under this key, merged, for whomever; None if nothing is. O(owners).

        Who stands in for whom depends on who else is away, and that may have changed since the write."""
        found = [hints[key] for hints in self._hints.values() if key in hints]
        copies = [hint.copy for hint in found if hint.expires_ms > now_ms]
        return reduce(self.merge, copies) if copies else None

    def find(self, owner: NodeId, key: Key) -> Hint[C] | None:
        """The hint for this owner, which may be about to be forgotten; None if there is none."""
        return self._hints.get(owner, {}).get(key)

    def add(self, owner: NodeId, key: Key, copy: C, now_ms: int) -> Hint[C]:
        """Keep this for the owner, merged with what is kept for it already. Returns the hint as it is now.

        Raises HintsFull, and changes nothing, if it would be one hint too many.
        """
        old = self.find(owner, key)
        if old is not None and old.expires_ms <= now_ms:
            self._remove(owner, key)  # merged with what is too late, the new copy would be too late at once
        elif old is None and len(self) >= self.hints_max:
            raise HintsFull(
                f"no room for a hint for {owner}: {self.hints_max} are kept already; they are handed over as "
                "their owners come back"
            )
        return self.restore(owner, key, Hint(copy, now_ms + self.ttl_ms))

    def restore(self, owner: NodeId, key: Key, hint: Hint[C]) -> Hint[C]:
        """Keep what was a hint before, of an earlier life or another owner: it expires when it would have,
        and there is room for it."""
        hints = self._hints.setdefault(owner, {})
        old = hints.get(key)
        hints[key] = hint if old is None else self._merged(old, hint)
        return hints[key]

    def _merged(self, old: Hint[C], new: Hint[C]) -> Hint[C]:
        """Both in one. Where one of them has replaced the other, its expiry holds; else the earlier, or a key
        that is written to again and again would keep an old sibling for ever."""
        copy = self.merge(old.copy, new.copy)
        for whole in (new, old):
            if copy == whole.copy:
                return whole
        return Hint(copy, min(old.expires_ms, new.expires_ms))

    def due(self, owner: NodeId, now_ms: int, keys_max: int, bytes_max: int) -> list[tuple[Key, C]]:
        """What to offer the owner next, the oldest first: at least one, if there are any, then as many as
        fit. Changes nothing: it is due until it is delivered."""
        chunk: list[tuple[Key, C]] = []
        size = 0
        for key, hint in self._hints.get(owner, {}).items():
            if hint.expires_ms <= now_ms:
                continue
            size += len(key) + hint.copy.size
            if chunk and (len(chunk) == keys_max or size > bytes_max):
                break
            chunk.append((key, hint.copy))
        return chunk

    def delivered(self, owner: NodeId, key: Key, copy: Copy) -> bool:
        """The owner has confirmed this copy: forget the hint, unless more has been merged into it since."""
        hint = self.find(owner, key)
        if hint is None or hint.copy != copy:
            return False
        self._remove(owner, key)
        return True

    def readdress(self, homes: Callable[[Key], list[NodeId]]) -> tuple[list[Place], list[Place]]:
        """After a change of the ring: what is for a node that is no home replica of the key any more is
        from now on for all that are. Returns those that are gone, and those that are new. O(hints)."""
        gone = [
            (owner, key) for owner, hints in self._hints.items() for key in hints if owner not in homes(key)
        ]
        new: list[Place] = []
        for owner, key in gone:
            hint = self._hints[owner][key]
            self._remove(owner, key)
            new += [(home, key) for home in homes(key) if self.find(home, key) is None]
            for home in homes(key):
                self.restore(home, key, hint)
        return gone, new

    def expire(self, now_ms: int) -> list[Place]:
        """Forget what has expired; returns what that was. O(hints)."""
        late = [
            (owner, key)
            for owner, hints in self._hints.items()
            for key, hint in hints.items()
            if hint.expires_ms <= now_ms
        ]
        for owner, key in late:
            self._remove(owner, key)
        return late

    def _remove(self, owner: NodeId, key: Key) -> None:
        hints = self._hints[owner]
        del hints[key]
        if not hints:
            del self._hints[owner]
