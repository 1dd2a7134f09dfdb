"""Consistent hashing: keys and nodes on one circle, each key owned by the next token clockwise.

Source: Karger et al. 1997; virtual nodes and weights from DeCandia et al. 2007, sections 4.2 and 6.2
    (its strategy 1: random tokens, partition by token).
Invariant: the owner of a key depends on the ring's members alone, not on the order they joined in.
Invariant: when a node joins, keys move to it and to nowhere else: about weight / total weight of them.
Deviation: Dynamo draws tokens at random and stores them. Ours are hashes of "n1#0", "n1#1", ..., so
    that a ring is described by names and weights, and every node computes the same one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from kvlab.core.hashing import RING_SIZE, Token, token
from kvlab.messages import Key, Member, NodeId, RingSpec


class Ring:
    """The circle of one RingSpec; never changes. Memory O(T) for T tokens, built in O(T log T)."""

    def __init__(self, spec: RingSpec) -> None:
        self.spec = spec
        self.epoch = spec.epoch
        self.members: dict[NodeId, Member] = {member.node: member for member in spec.members}
        circle = sorted(
            (token(f"{member.node}#{i}".encode()), member.node)
            for member in spec.members
            for i in range(spec.vnodes * member.weight)
        )
        self._tokens: list[Token] = [point for point, _ in circle]
        self._owners: list[NodeId] = [node for _, node in circle]

    def slot(self, key: Key) -> int:
        """The index of the first token at or after the key's; keys of one slot share all owners. O(log T)."""
        return bisect_left(self._tokens, token(key)) % len(self._tokens)

    def owner(self, key: Key) -> NodeId:
        """The node of the first token at or after the key's. O(log T)."""
        return self._owners[self.slot(key)]

    def at(self, point: Token) -> NodeId:
        """The node of the first token at or after this point of the circle. O(log T)."""
        return self._owners[bisect_left(self._tokens, point) % len(self._owners)]

    def clockwise(self, slot: int) -> Iterator[NodeId]:
        """The owner of each token, once round from this slot on: nodes repeat, nearest first."""
        for i in range(len(self._owners)):
            yield self._owners[(slot + i) % len(self._owners)]

    def tokens(self) -> list[tuple[Token, NodeId]]:
        """Every token and its node, clockwise from 0."""
        return list(zip(self._tokens, self._owners, strict=True))

    def shares(self) -> dict[NodeId, float]:
        """The share of the circle that each node owns; they add up to 1."""
        shares = dict.fromkeys(self.members, 0.0)
        before = self._tokens[-1] - RING_SIZE  # the last token, seen from across 0
        for point, node in zip(self._tokens, self._owners, strict=True):
            shares[node] += (point - before) / RING_SIZE
            before = point
        return shares


def joined(spec: RingSpec, member: Member) -> RingSpec:
    """The ring that follows `spec` when this node joins; `spec` itself if the node is in it."""
    if any(known.node == member.node for known in spec.members):
        return spec
    return RingSpec(spec.epoch + 1, (*spec.members, member), spec.vnodes)


def left(spec: RingSpec, node: NodeId) -> RingSpec:
    """The ring that follows `spec` when this node leaves; `spec` itself if the node is not in it."""
    stay = tuple(member for member in spec.members if member.node != node)
    if stay == spec.members:
        return spec
    return RingSpec(spec.epoch + 1, stay, spec.vnodes)
