"""All keys that the events have told of: which node holds what of each, next to what it should hold.

What it should hold is what its home replicas would come to, if they told each other (core/clocks.py and
core/versions.py). A stage whose copies bear no version knows only whether they are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Literal, TypeAlias

import msgspec

from kvlab.core import clocks
from kvlab.core.versions import newest
from kvlab.messages import Copy, Key, NodeId, Siblings, Version
from kvlab.trace.model import Model

Standing: TypeAlias = Literal["holds", "behind", "differs", "lacks", "down", "unknown", "hint", "spare"]
"""How a node stands to a key: it holds what it should, something older, or what nobody can say to be older or
newer, or nothing; it is down; it has not told; it keeps a hint; it holds a copy and is no home."""
AMISS = frozenset({"behind", "differs", "lacks", "hint"})
KEYS_MAX = 200


class KeyRow(msgspec.Struct, frozen=True):
    """One key. `values` is what its replicas come to: several are siblings, none is a delete."""

    key: Key
    values: tuple[bytes, ...]
    standings: dict[NodeId, Standing]

    @property
    def apart(self) -> bool:
        """Whether a replica that is there does not hold what it should."""
        return not AMISS.isdisjoint(self.standings.values())

    @property
    def amiss(self) -> bool:
        """Whether there is anything to see: siblings, or replicas that have gone apart."""
        return len(self.values) > 1 or self.apart


def keys_of(model: Model, homes: dict[Key, Sequence[NodeId]]) -> tuple[KeyRow, ...]:
    """A row a key of those whose homes are given: first those that differ, otherwise by name."""
    rows = [_row(model, key, at) for key, at in homes.items()]
    return tuple(sorted(rows, key=lambda row: (not row.amiss, _natural(row.key))))


def known_keys(model: Model) -> list[Key]:
    """The keys of which some node is known to hold a copy, or to keep a hint."""
    known = [hint.key for hints in model.kept_hints.values() for hint in hints.values()]
    known += [key for items in model.items.values() for key in items]
    known += [key for copies in model.copies.values() for key in copies]
    return list(dict.fromkeys(known))[:KEYS_MAX]


def in_conflict(model: Model) -> int:
    """How many keys have siblings somewhere."""
    return len(
        {
            key
            for copies in model.copies.values()
            for key, copy in copies.items()
            if isinstance(copy, Siblings) and len(copy.siblings) > 1
        }
    )


def _row(model: Model, key: Key, homes: Sequence[NodeId]) -> KeyRow:
    there = {name: node for name, node in model.nodes.items() if node.state != "left"}
    held = {name: _held(model, name, key) for name in there}
    at_homes = [copy for home in homes if (copy := held.get(home)) is not None]
    final = _agreed(at_homes)
    unlike: Standing = "behind" if isinstance(final, Siblings | Version) else "differs"
    alike = all(_same(copy, final) for copy in at_homes)
    standings: dict[NodeId, Standing] = {}
    for name, node in there.items():
        copy = held[name]
        if any(hint.key == key for hint in model.kept_hints.get(name, {}).values()):
            standings[name] = "hint"
        elif name not in homes:
            if copy is not None:
                standings[name] = "spare"
        elif node.state == "down":
            standings[name] = "down"
        elif copy is None:
            complete = node.keys + node.tombstones <= len(model.items.get(name, {}))
            standings[name] = "lacks" if complete or node.state == "starting" else "unknown"
        else:
            right = alike if unlike == "differs" else _same(copy, final)
            standings[name] = "holds" if right else unlike
    return KeyRow(key, _values(final), standings)


def _held(model: Model, node: NodeId, key: Key) -> Copy | bytes | None:
    """Its copy; its value alone, where copies bear no version."""
    copy = model.copies.get(node, {}).get(key)
    return model.items.get(node, {}).get(key) if copy is None else copy


def _agreed(copies: Sequence[Copy | bytes]) -> Copy | bytes | None:
    """What they all should hold."""
    siblings = [one for one in copies if isinstance(one, Siblings)]
    versions = [one for one in copies if isinstance(one, Version)]
    if siblings:
        return reduce(clocks.merged, siblings)
    if versions:
        return reduce(newest, versions)
    return copies[-1] if copies else None


def _same(copy: Copy | bytes, final: Copy | bytes | None) -> bool:
    """Of siblings the writes count, and not how much else was seen."""
    if isinstance(copy, Siblings) and isinstance(final, Siblings):
        return {one.dot for one in copy.siblings} == {one.dot for one in final.siblings}
    return copy == final


def _values(final: Copy | bytes | None) -> tuple[bytes, ...]:
    if final is None or isinstance(final, bytes):
        return () if final is None else (final,)
    return final.values


def _natural(key: Key) -> tuple[object, ...]:
    """key:9 before key:10."""
    head = key.rstrip(b"0123456789")
    return (head, int(key[len(head) :] or b"-1"))
