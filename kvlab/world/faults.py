"""What can go wrong between two nodes, and the decision for one message.

Both worlds ask `Link.fate` for every message, so that `lose n1 n4 10%` means the same on real
sockets and in the simulator. A partition is a link that is cut; it is silent, as a real cut cable is:
no error, no reset, only a time-out at whoever waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Literal, TypeAlias

import msgspec

from kvlab.messages import NodeId

Fate: TypeAlias = Literal["now", "lost", "twice"]
"""What a person may decide of one message under way."""


class Link(msgspec.Struct, frozen=True):
    """How messages fare from one node to another."""

    cut: bool = False
    delay_ms: float = 0.0
    jitter_ms: float = 0.0  # uniform, plus or minus
    loss: float = 0.0  # a share, 0 to 1
    duplication: float = 0.0  # a share, 0 to 1

    def fate(self, random: Random) -> list[float]:
        """The extra delays, in ms, after which copies of a message arrive: [] lost, two duplicated.

        A cut is not decided here but on delivery, so that messages under way are cut too.
        """
        if self.loss and random.random() < self.loss:
            return []
        copies = 2 if self.duplication and random.random() < self.duplication else 1
        return [self._delay(random) for _ in range(copies)]

    def _delay(self, random: Random) -> float:
        if not self.jitter_ms:
            return self.delay_ms
        return max(0.0, self.delay_ms + random.uniform(-self.jitter_ms, self.jitter_ms))


CLEAR = Link()


class Faults:
    """The state of the whole network: the partition, and each link's ailments, by (from, to)."""

    def __init__(self) -> None:
        self.groups: tuple[tuple[NodeId, ...], ...] = ()
        self.links: dict[tuple[NodeId, NodeId], Link] = {}

    @property
    def clear(self) -> bool:
        """Whether the whole network is well."""
        return not self.groups and not self.links

    def partition(self, groups: Sequence[Sequence[NodeId]]) -> None:
        """Only nodes of one group hear each other; a node in no group hears nobody."""
        self.groups = tuple(tuple(group) for group in groups)

    def heal(self) -> None:
        """Every node hears every other again, at full speed: partition, delay and loss are gone."""
        self.groups = ()
        self.links.clear()

    def set(self, sender: NodeId, receiver: NodeId, **ailments: float) -> Link:
        """Change one link, leaving its other ailments as they are; returns what it is now."""
        link = msgspec.structs.replace(self.links.get((sender, receiver), CLEAR), **ailments)
        self.links[sender, receiver] = link
        return link

    def cut(self, sender: NodeId, receiver: NodeId) -> bool:
        """Whether the partition stands between these two."""
        if not self.groups or sender == receiver:
            return False
        return not any(sender in group and receiver in group for group in self.groups)

    def link(self, sender: NodeId, receiver: NodeId) -> Link:
        """How messages from `sender` to `receiver` fare now."""
        link = self.links.get((sender, receiver), CLEAR)
        return msgspec.structs.replace(link, cut=True) if self.cut(sender, receiver) else link

    def links_from(self, sender: NodeId, receivers: Iterable[NodeId]) -> dict[NodeId, Link]:
        """The links out of one node that are not clear, by receiver."""
        links = {to: self.link(sender, to) for to in receivers if to != sender}
        return {to: link for to, link in links.items() if link != CLEAR}
