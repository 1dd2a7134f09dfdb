"""Heartbeats: which peers have been silent for too long, by a count of one's own heartbeats.

A node beats once a period: it asks every peer for a sign of life. Time is measured in these beats and not by
a clock. Clocks can be set, and they run on while their node is stopped: one that was paused for ten seconds
would find that it has heard nobody for ten seconds, and take everybody for lost. But while it was paused it
did not beat, and so it accuses nobody when it wakes.

Source: the simplest detector of Chandra and Toueg 1996, section 1: a time-out on heartbeats.
Invariant: a peer is silent when it has answered none of the last `patience` beats.
Deviation: only an *answer* counts as a sign of life. A cable that is cut in one direction is then seen from
    both of its ends; to hear a peer that cannot hear us is of no use to a write that both must have.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvlab.messages import NodeId


class Heartbeats:
    """When each peer answered last. All count as heard at the start. Every operation is O(peers)."""

    def __init__(self, peers: Iterable[NodeId], patience: int) -> None:
        """`patience`: so many beats without an answer are borne."""
        self.patience = patience
        self.beats = 0
        self._answered = dict.fromkeys(peers, 0)

    def beat(self) -> None:
        """Another period has passed in which this node was awake."""
        self.beats += 1

    def answered(self, peer: NodeId) -> None:
        """A sign of life."""
        self._answered[peer] = self.beats

    def silent(self) -> list[NodeId]:
        """The peers of whom nothing was heard for longer than is borne, in their order."""
        return [peer for peer, beat in self._answered.items() if self.beats - beat > self.patience]
