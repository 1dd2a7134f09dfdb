"""The simulated network: every message a timer, its delay and its fate drawn from one seeded stream.

A stream has one drawback: leave out one operation, and all that is sent afterwards fares differently. Where
a failing run is to be made smaller, the cluster is given `chance=named` instead: each message draws from a
seed of its own, made of its name: whose operation it is for, from whom, to whom, of which type, and the
how-manyeth of these. Then what is left out of a run changes nothing for the rest of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import Context
from random import Random
from typing import TypeAlias
from zlib import crc32

import msgspec

from kvlab.errors import UserError
from kvlab.messages import NodeId, OpId, decode, kind
from kvlab.world.faults import Faults
from kvlab.world.host import Host
from kvlab.world.sim.loop import Handle, SimLoop

DELAY_MS_MIN = 0.5
DELAY_MS_SPREAD = 2.5
"""A message on a healthy network takes 0.5 to 3 ms, uniformly, each for itself, so that a later one may
overtake. A stage that relies on their order is wrong on a real network too."""

ON_TIME = (0.0,)


class Life:
    """One life of a node in the simulator: its host, and the context in which all of its code runs."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.host: Host | None = None


class UnderWay(msgspec.Struct, frozen=True):
    """A message that has been sent and has not arrived. `msg` is what the events call it."""

    msg: str
    sender: NodeId
    to: NodeId
    kind: str
    op: OpId
    key: bytes | None
    due_ms: float
    """When it will arrive."""


class Network:
    """What is under way, and who is there to receive it."""

    def __init__(self, loop: SimLoop, faults: Faults, random: Random) -> None:
        self.loop, self.faults, self.random = loop, faults, random
        self.lives: dict[NodeId, Life] = {}
        self.messages = 0  # sent so far
        self.context = Context()  # a message under way is nobody's code

    def deliver(
        self,
        sender: NodeId,
        generation: int,
        to: NodeId,
        data: bytes,
        dropped: Callable[[str], None] | None,
        life: Life | None,
    ) -> None:
        """`life` is that of the receiver as the message was sent: a later one has other connections."""
        if self.faults.groups and self.faults.cut(sender, to):
            why = "partition"
        elif life is None or life is not self.lives.get(to) or life.host is None:
            why = "receiver down"
        elif self.loop.suspended(life):  # it is in the socket's buffer, to be read when it wakes
            self.loop.call_soon(life.host.receive, sender, generation, data, context=life.context)
            return
        else:
            life.context.run(life.host.receive, sender, generation, data)
            return
        if dropped is not None:
            dropped(why)

    # -- one message, under somebody's hand --------------------------------------------------------

    def under_way(self) -> list[UnderWay]:
        """The messages under way, the next to arrive first; one that arrives twice stands here twice.

        Found among the timers: a table of them would cost every message, and few runs are looked at so.
        """
        found = []
        for handle in self.loop.pending(self.deliver):
            sender, generation, to, data, *_ = handle.args
            frame = decode(data)
            msg, key = f"{sender}.{generation}.{frame.id}", getattr(frame.body, "key", None)
            due_ms = round(handle.when() * 1000, 3)
            found.append(UnderWay(msg, sender, to, kind(frame.body), frame.op, key, due_ms))
        return found

    def hasten(self, msg: str) -> None:
        """Deliver it now, before all others. Raises UserError if it is not under way, as do the next two."""
        handle = self._find(msg)
        handle.cancel()
        self.loop.call_soon(self.deliver, *handle.args, context=self.context)

    def drop(self, msg: str) -> None:
        """Let it never arrive."""
        handle = self._find(msg)
        handle.cancel()
        dropped: Callable[[str], None] | None = handle.args[4]
        if dropped is not None:
            dropped("by hand")

    def double(self, msg: str) -> None:
        """Deliver it twice: the second copy comes right after the first, and is under way for itself."""
        handle = self._find(msg)
        self.loop.call_at(handle.when(), self.deliver, *handle.args, context=self.context)

    def _find(self, msg: str) -> Handle:
        """The next copy of it to arrive."""
        for handle, known in zip(self.loop.pending(self.deliver), self.under_way(), strict=True):
            if known.msg == msg:
                return handle
        raise UserError(f"no message {msg} is under way: it has arrived or was lost, or was not sent yet")


class Port:
    """One node's end of the network: the transport of its host."""

    def __init__(self, network: Network, node: NodeId, generation: int) -> None:
        self.network, self.node, self.generation = network, node, generation
        self.address = 0  # here a name is address enough

    def reach(self, peer: NodeId, address: int) -> None:
        """Every name is known to the network."""

    def send(self, to: NodeId, data: bytes, dropped: Callable[[str], None] | None) -> None:
        """Put a frame on its way; it arrives once, twice or never."""
        network, faults = self.network, self.network.faults
        network.messages += 1
        fate: Sequence[float] = ON_TIME
        if faults.groups or faults.links:
            fate = faults.link(self.node, to).fate(network.random)
            if not fate and dropped is not None:
                dropped("loss")
        for extra_ms in fate:
            delay_ms = DELAY_MS_MIN + DELAY_MS_SPREAD * network.random.random() + extra_ms
            network.loop.call_later(
                delay_ms / 1000,
                network.deliver,
                self.node,
                self.generation,
                to,
                data,
                dropped,
                network.lives.get(to),
                context=network.context,
            )


MessageName: TypeAlias = tuple[OpId, NodeId, NodeId, str]
"""For the sake of which operation, from, to, of which type."""


class Names:
    """How often each name of a message was used so far, and which are to be lost."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.used: Counter[MessageName] = Counter()
        self.doomed: set[MessageName] = set()


class NamedPort(Port):
    """A port whose messages draw their fate by their names."""

    def __init__(self, network: Network, node: NodeId, generation: int, names: Names) -> None:
        super().__init__(network, node, generation)
        self.names = names

    def send(self, to: NodeId, data: bytes, dropped: Callable[[str], None] | None) -> None:
        frame = decode(data)
        name = (frame.op, self.node, to, kind(frame.body))
        self.names.used[name] += 1
        if name in self.names.doomed:
            if dropped is not None:
                dropped("loss")
            return
        self.network.random.seed(crc32(f"{self.names.seed} {name} {self.names.used[name]}".encode()))
        super().send(to, data, dropped)
