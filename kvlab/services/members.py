"""Members: who is there and who is alive, by gossip.

Source: van Renesse, Minsky and Hayden 1998; DeCandia et al. 2007, section 4.8.
Invariant: an outage changes beliefs and never the ring: failed is not left, and no data move for it.
Deviation: the notes have a node pass on each signal at once to all that it knows. That is n messages for each
    heartbeat at each node; here a node tells a few others once a period, and its news reach everybody in a
    logarithm of periods. Dynamo's gossip also decides on the ring; here a change of the ring is agreed upon
    as in the stages before (services/transfer.py), and gossip brings it to those who missed it.

The exchange is push and pull: who is told answers with what it knows. Whom to tell is drawn from all the
others, the failed among them: when a cut heals, both halves take each other for failed, and somebody has to
speak first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kvlab.config import ClusterConfig
from kvlab.core.detectors import Belief, Detector, PhiDetector, TimeoutDetector
from kvlab.core.membership import Changes, Membership
from kvlab.env import Env
from kvlab.errors import OperationError
from kvlab.messages import UNKNOWN_EPOCH, C, Gossip, Gossiped, NodeId, Row
from kvlab.services.transfer import Transfer


class Members:
    """The table of one node, and the gossip that keeps it true. Begins to speak when it is made."""

    def __init__(self, env: Env, config: ClusterConfig, transfer: Transfer[C]) -> None:
        self.env, self.config, self.transfer = env, config, transfer
        self._membership = self._new_table()
        self._ring = transfer.ring  # as last looked at
        self._addresses: dict[NodeId, int] = {}
        self._membership.expect([member.node for member in self._ring.members], env.now_ms())
        env.later(self._gossip())

    def _new_table(self, kind: Callable[..., Membership] = Membership) -> Membership:
        """The table of this life, which knows nobody yet."""
        return kind(
            self.env.me,
            self.env.generation,
            self.env.address,
            period_ms=self.config.gossip_ms,
            detector=self._detector,
            now_ms=self.env.now_ms(),
        )

    def _detector(self, heard_ms: float) -> Detector:
        if self.config.detector == "phi":
            return PhiDetector(heard_ms, self.config.gossip_ms)
        return TimeoutDetector(heard_ms, self.config.suspect_ms, self.config.fail_ms)

    # -- what is believed ------------------------------------------------------------------------

    def belief(self, peer: NodeId) -> Belief:
        """What this node takes the peer for."""
        self._follow_ring()  # whom it has just taken in is a replica from now on, heard or not
        return self._membership.belief(peer)

    def alive(self, peer: NodeId) -> bool:
        """Whether it is taken to be alive: who is suspected is not."""
        return self.belief(peer) is Belief.ALIVE

    def living(self, peers: Iterable[NodeId]) -> list[NodeId]:
        """Those of them that have not failed or left: the ones alive in their order, then the suspects."""
        beliefs = [(peer, self.belief(peer)) for peer in peers]
        alive = [peer for peer, belief in beliefs if belief is Belief.ALIVE]
        return alive + [peer for peer, belief in beliefs if belief is Belief.SUSPECT]

    def table(self) -> Sequence[Row]:
        """The heartbeat table, this node's own row first."""
        return self._membership.table(self.env.now_ms())

    # -- gossip ----------------------------------------------------------------------------------

    async def meet(self) -> None:
        """Given no more than a seed, learn from it who is there. Raises PeerSilent, PeerRefused."""
        if self.transfer.ring.epoch == UNKNOWN_EPOCH:
            seed = self.transfer.ring.members[0].node
            self._hear(await self.transfer.insist(seed, Gossip(self.transfer.ring, tuple(self.table()))))

    async def on(self, sender: NodeId, request: Gossip) -> Gossiped:
        self._hear(request)
        return Gossiped(self.transfer.ring, tuple(self.table()))

    async def _gossip(self) -> None:
        """A round each period."""
        period_ms = self.config.gossip_ms
        await self.env.sleep(self.env.random.uniform(0, period_ms))  # not all at the same moment
        while True:
            self._follow_ring()
            await self.round()
            await self.env.sleep(period_ms)

    async def round(self) -> None:
        """Let the heart beat, and tell a few others, waiting for none of them."""
        self._tell(self._membership.tick(self.env.now_ms()))
        others = self._membership.others()
        for peer in self.env.random.sample(others, min(self.config.fanout, len(others))):
            self.env.later(self.exchange(peer))

    async def exchange(self, peer: NodeId) -> None:
        """Tell one other what is known here, and hear what it knows."""
        try:
            self._hear(await self.env.ask(peer, Gossip(self.transfer.ring, tuple(self.table()))))
        except OperationError:
            return  # that it is silent, the table will show

    def _hear(self, said: Gossip | Gossiped) -> None:
        """Take what is new in somebody's ring and table; the ring first, which says who has left."""
        self.transfer.learn(said.ring)
        self._follow_ring()
        self._tell(self._membership.merge(said.rows, self.env.now_ms()))
        for peer in self._membership.others():
            address = self._membership.address_of(peer)
            if address not in (0, self._addresses.get(peer)):
                self._addresses[peer] = address
                self.env.reach(peer, address)

    def _follow_ring(self) -> None:
        """Expect to hear from those the ring has taken in, and let go those it has let go."""
        before, self._ring = self._ring, self.transfer.ring
        if before is self._ring:
            return
        now = [member.node for member in self._ring.members]
        self._tell(self._membership.expect(now, self.env.now_ms()))
        for member in before.members:
            if member.node not in now:
                self._tell(self._membership.leave(member.node, self.env.now_ms()))

    def _tell(self, changes: Changes) -> None:
        for peer, belief in changes:
            self.env.believes(peer, belief)
