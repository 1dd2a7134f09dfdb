"""Chapter 3: a ring, on which every node finds whose key it is without asking anybody.

Write `tokens_of`, which says where a member stands, the methods of `Ring`, and the rings that follow when a
node joins or leaves. The reference takes about 35 lines. `kvlab check 3` says how far you are, and
`kvlab lab 3 --mine` runs a cluster with your ring.

`token(data)` is where on the circle these bytes fall: a whole number from 0 up to RING_SIZE - 1, the same in
every process. After RING_SIZE - 1 comes 0 again. Clockwise is upwards.

A `RingSpec(epoch, members, vnodes)` says who is on the ring: a tuple of `Member(node, zone, weight)`. Every
node computes its ring from that; no table of tokens travels. The standard library's bisect is of use.
"""

from __future__ import annotations

from collections.abc import Iterator

from kvlab.core.hashing import RING_SIZE, Token, token
from kvlab.messages import Key, Member, NodeId, RingSpec


def tokens_of(member: Member, vnodes: int) -> list[Token]:
    """The tokens of this member's virtual nodes, `vnodes` for each unit of its weight.

    They are the tokens of its name with a number: of b"n1#0", b"n1#1", b"n1#2" and so on, in this order.
    """
    raise NotImplementedError


class Ring:
    """The circle of one RingSpec; it never changes. Built in O(T log T) for T tokens."""

    def __init__(self, spec: RingSpec) -> None:
        """Put the tokens of all members on the circle."""
        self.spec = spec
        self.epoch = spec.epoch
        self.members: dict[NodeId, Member] = {member.node: member for member in spec.members}
        raise NotImplementedError

    def tokens(self) -> list[tuple[Token, NodeId]]:
        """Every token and its node, clockwise from 0."""
        raise NotImplementedError

    def slot(self, key: Key) -> int:
        """The place in `tokens()` of the key's token: the first that is at the key's own, or after it.

        After the last token comes the first one. O(log T).
        """
        raise NotImplementedError

    def owner(self, key: Key) -> NodeId:
        """The node that holds the key: the one of its token. O(log T)."""
        raise NotImplementedError

    def clockwise(self, slot: int) -> Iterator[NodeId]:
        """The node of each token, once round the circle from this slot on.

        A node comes as often as it has tokens. Chapter 4 finds in it who holds the copies.
        """
        raise NotImplementedError

    def shares(self) -> dict[NodeId, float]:
        """The share of the circle that each node owns: of all keys, about so many. They add up to 1."""
        raise NotImplementedError


def joined(spec: RingSpec, member: Member) -> RingSpec:
    """The ring that follows `spec` when this member joins: the next epoch, the member after all others.

    `spec` itself if a member of this name is in it already: to be told twice is not to join twice.
    """
    raise NotImplementedError


def left(spec: RingSpec, node: NodeId) -> RingSpec:
    """The ring that follows `spec` when this node leaves; `spec` itself if it is not in it."""
    raise NotImplementedError
