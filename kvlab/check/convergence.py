"""Convergence: do all home replicas of a key hold the same?

Source: Vogels 2009 ("Eventually Consistent"): once writes stop and nothing fails, all replicas agree.
Deviation: judged at one moment, on what each replica itself holds; a script waits before it asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from kvlab.check.history import Judgement, Verdict, shown
from kvlab.messages import Key, NodeId

Copies = Mapping[Key, Mapping[NodeId, Sequence[bytes] | None]]
"""What each home replica of each key holds: () nothing, None if the node could not be looked at."""


class Difference(msgspec.Struct, frozen=True):
    """A key that its home replicas do not agree on."""

    key: Key
    held: dict[NodeId, tuple[bytes, ...]]

    def __str__(self) -> str:
        copies = ", ".join(f"{node} holds {shown(values)}" for node, values in self.held.items())
        return f"{shown([self.key])}: {copies}"


def differences(copies: Copies) -> list[Difference]:
    """The keys whose replicas differ, as far as they could be looked at. Siblings have no order."""
    found = []
    for key, replicas in copies.items():
        held = {node: tuple(values) for node, values in replicas.items() if values is not None}
        if len({frozenset(values) for values in held.values()}) > 1:
            found.append(Difference(key, held))
    return found


def convergence(copies: Copies) -> Judgement:
    """Whether all home replicas hold the same; undecided when they may, but some could not be looked at."""
    if different := differences(copies):
        more = f"; and so do {len(different) - 1} more of {len(copies)}" if len(different) > 1 else ""
        return Judgement("convergence", Verdict.ILLEGAL, f"{different[0]}{more}")
    unseen = {node for replicas in copies.values() for node, values in replicas.items() if values is None}
    if unseen:
        names = ", ".join(sorted(unseen))
        return Judgement(
            "convergence", Verdict.UNDECIDED, f"{names} cannot be looked at; restart or resume it first"
        )
    return Judgement("convergence", Verdict.OK, f"all replicas agree (keys: {len(copies)})")
