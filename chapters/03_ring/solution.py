"""The reference of chapter 3: two lists in the same order, tokens and nodes, and a binary search.

The modulo is the circle: a key after the last token gets the place that the list does not have, and that is
place 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from kvlab.core.hashing import RING_SIZE, Token, token
from kvlab.messages import Key, Member, NodeId, RingSpec


def tokens_of(member: Member, vnodes: int) -> list[Token]:
    """The tokens of this member's virtual nodes, `vnodes` for each unit of its weight."""
    return [token(f"{member.node}#{i}".encode()) for i in range(vnodes * member.weight)]


class Ring:
    """The circle of one RingSpec; it never changes."""

    def __init__(self, spec: RingSpec) -> None:
        self.spec = spec
        self.epoch = spec.epoch
        self.members: dict[NodeId, Member] = {member.node: member for member in spec.members}
        circle = sorted((at, m.node) for m in spec.members for at in tokens_of(m, spec.vnodes))
        self.points: list[Token] = [at for at, _ in circle]
        self.nodes: list[NodeId] = [node for _, node in circle]

    def tokens(self) -> list[tuple[Token, NodeId]]:
        return list(zip(self.points, self.nodes, strict=True))

    def slot(self, key: Key) -> int:
        return bisect_left(self.points, token(key)) % len(self.points)

    def owner(self, key: Key) -> NodeId:
        return self.nodes[self.slot(key)]

    def clockwise(self, slot: int) -> Iterator[NodeId]:
        for i in range(len(self.nodes)):
            yield self.nodes[(slot + i) % len(self.nodes)]

    def shares(self) -> dict[NodeId, float]:
        shares = dict.fromkeys(self.members, 0.0)
        before = self.points[-1] - RING_SIZE  # the last token, as seen from across 0
        for at, node in self.tokens():
            shares[node] += (at - before) / RING_SIZE
            before = at
        return shares


def joined(spec: RingSpec, member: Member) -> RingSpec:
    """The ring that follows `spec` when this member joins."""
    if member.node in [known.node for known in spec.members]:
        return spec
    return RingSpec(spec.epoch + 1, (*spec.members, member), spec.vnodes)


def left(spec: RingSpec, node: NodeId) -> RingSpec:
    """The ring that follows `spec` when this node leaves."""
    stay = tuple(member for member in spec.members if member.node != node)
    return spec if stay == spec.members else RingSpec(spec.epoch + 1, stay, spec.vnodes)
