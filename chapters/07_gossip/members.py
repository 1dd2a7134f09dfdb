"""Chapter 7: a table of who is alive, and the gossip that keeps it true.

First an order of rows, and a clock; then the table, which never waits; then the three methods that send it
about. The reference takes about 75 lines. `kvlab check 7` says how far you are, and `kvlab lab 7 --mine` runs
five nodes that gossip with your code.

A row is what the sender of a table knows of one node (kvlab/messages.py):

  Row(node, generation, heartbeat, age_ms, accusers, left, address)
      generation   counts the node's lives, heartbeat the periods of this one
      age_ms       so long ago somebody heard that from the node itself. An age, and no time of day: clocks
                   differ from each other, and ages can be handed on
      accusers     a tuple of nodes, sorted: they have heard nothing later for too long
      left         it is a member no more
      address      where it listens; hand it on as it is

What this node knows of another it keeps in an Entry, made as Entry(row, detector, belief): `row`, the latest
that was heard; `accusers`, a set (of those in the row, to begin with), and `convicted`, both of that
heartbeat; `detector`; and `belief`, as it was last told.

A detector listens for one node, and is there already: `self.detector(heard_ms)` makes a new one,
`detector.heard(at_ms)` is a sign of life (never before `detector.heard_ms`), `detector.opinion(now)` is
Belief.ALIVE, SUSPECT or FAILED, as this one listener takes the silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kvlab.config import ClusterConfig
from kvlab.core.detectors import Belief, Detector
from kvlab.core.membership import Changes
from kvlab.course.given import Entry, GivenMembers, GivenMembership
from kvlab.env import Env
from kvlab.errors import OperationError
from kvlab.messages import Gossip, Gossiped, NodeId, Row
from kvlab.services.transfer import Transfer


def later(a: Row, b: Row) -> bool:
    """Whether a is later news of their node than b: of a later life; of the same life, that it has left; and
    else with a later heartbeat. How old each is does not matter."""
    raise NotImplementedError


class AwakeClock:
    """The time for which its owner was awake, from a clock that runs on while it is not, and may be set."""

    def __init__(self, period_ms: float, now_ms: float) -> None:
        """`period_ms`: it is read at least so often, by who is awake; `now_ms`: the clock's time now."""
        raise NotImplementedError

    def read(self, now_ms: float) -> float:
        """Milliseconds awake since it was made.

        A step of at most two periods was waited for, and counts. A longer one was a pause, or the clock was
        set; one backwards, too: each of these counts as one period.
        """
        raise NotImplementedError


class Membership(GivenMembership):
    """The heartbeat table of one life of one node."""

    def __init__(
        self,
        me: NodeId,
        generation: int,
        address: int,
        period_ms: float,
        detector: Callable[[float], Detector],
        now_ms: float,
    ) -> None:
        super().__init__(me, generation, address, detector)
        self.clock = AwakeClock(period_ms, now_ms)
        # You have, from GivenMembership:
        #   self.me, self.generation, self.address
        #   self.heartbeat = 0        of this node
        #   self.departed = False     this node has left, and knows it
        #   self.entries              a dict: of each other node that is known, an Entry
        #   self.detector(heard_ms)   a new detector
        #   expect, leave, others, belief, address_of
        #
        # now_ms is always the clock on the wall. Whatever is reckoned with (`now` in what follows, heard_ms,
        # ages) is time awake: self.clock.read(now_ms). Read it once in each of the three methods that are
        # given now_ms.

    def table(self, now_ms: float) -> tuple[Row, ...]:
        """The rows to send to somebody: this node's own first, of age 0 and accused by nobody; then one of
        each entry, with its age by now (in whole ms, rounded) and its accusers."""
        raise NotImplementedError

    def tick(self, now_ms: float) -> Changes:
        """A period has passed: let the heart beat, and judge the others."""
        raise NotImplementedError

    def merge(self, rows: Iterable[Row], now_ms: float) -> Changes:
        """Somebody's table has come: hear each row, one's own by hear_of_me, and then judge."""
        raise NotImplementedError

    def hear(self, row: Row, now: float) -> None:
        """Take a row about another node, if it is news.

        Of a node, or of a life, that was not known: a new Entry, with a new detector. Its belief is ALIVE if
        the node was not known, and else what it was: judge is to find out, and to tell, what has changed.
        Later news of the same life: the new row stands, its accusers are those that the row names, it is
        convicted of nothing, and the detector has heard it (age_ms ago). The very same heartbeat of the same
        life: its accusers are those of both. Anything else is old, and changes nothing.
        """
        raise NotImplementedError

    def hear_of_me(self, row: Row) -> None:
        """Go above what others say of this node, if it is later than the truth, or an accusation.

        A later generation than one's own, or that this life has left, when it has not: another life under
        this name, which this one knows nothing of. Take the generation after it, and begin with heartbeat
        0. A heartbeat of one's own life that is accused: be above it. One that is not: be not below it.
        """
        raise NotImplementedError

    def judge(self, now: float) -> Changes:
        """Accuse who is silent, convict whom all the living accuse. Returns (node, belief) of each of whom
        something else is believed than before, in the order of the table.

        Of whom the detector's opinion is not ALIVE, this node is an accuser. It is convicted if the opinion
        is FAILED, and everybody accuses it who is alive: this node, and all others of whom the opinion is
        ALIVE (that others accuse it as well is no harm). It stays convicted until its next heartbeat. It is
        FAILED if it is convicted, and else SUSPECT.

        Of whom the opinion is ALIVE, is ALIVE, whoever else accuses it. Who has left is LEFT, and neither
        accused nor asked.
        """
        raise NotImplementedError


class Members(GivenMembers):
    """The gossip of one node.

    You have, from GivenMembers:
      self.membership                 your table; round() is called once a period, by who waits for it
      self.env, self.config           env.random, env.now_ms(), env.ask, env.later; config.fanout
      self.what_i_know()              a Gossip, to be sent: this node's ring and its table
      self.hear(said)                 take what is new in a Gossip or a Gossiped
      self.tell(changes)              note of whom something else is believed: whatever tick returns goes here
    """

    def __init__(self, env: Env, config: ClusterConfig, transfer: Transfer[Any]) -> None:
        super().__init__(env, config, transfer, Membership)  # keeps your table

    async def round(self) -> None:
        """A period has passed: let the heart beat, and begin an exchange with `fanout` others, or with all if
        they are fewer, drawn by chance from all that have not left, the failed as well. Wait for none."""
        raise NotImplementedError

    async def exchange(self, peer: NodeId) -> None:
        """Ask the peer with what this node knows, and hear what it answers. That it is silent or refuses (an
        OperationError) is no error here: the table will show it."""
        raise NotImplementedError

    async def on(self, sender: NodeId, request: Gossip) -> Gossiped:
        """Hear what the sender knows, and answer with what this node then knows: a Gossiped, which has the
        same two fields as a Gossip, ring and rows."""
        raise NotImplementedError
