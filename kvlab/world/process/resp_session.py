"""What a command's handler works with: the node behind the port, and the session it is asked in."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from kvlab.config import ClusterConfig
from kvlab.messages import Context, Copy, Item, Key, NodeId, RingSpec, Row
from kvlab.stages import KeepsHints, Stage, StageNode
from kvlab.world.host import context_in
from kvlab.world.process.resp_replies import Complaint, Wire

T = TypeVar("T")

Answered: TypeAlias = bytes | Coroutine[Any, Any, bytes]
"""A reply, or what will return one."""

SCANS_MAX = 16
"""How many SCANs may be under way on one node; the oldest gives way."""


CONTEXTS_MAX = 10_000
"""Of how many keys one connection remembers what it has seen; a write of another key is a blind one."""


class Served(Protocol):
    """The node behind a Redis port: what the port needs to know of its host."""

    @property
    def at_once(self) -> bool:
        """Whether the node can answer many plain reads or writes in one call (stages.AnswersAtOnce)."""

    @property
    def me(self) -> NodeId: ...

    @property
    def stage(self) -> Stage: ...

    @property
    def config(self) -> ClusterConfig: ...

    @property
    def node(self) -> StageNode: ...

    @property
    def ring(self) -> RingSpec:
        """The ring by which the node works now."""

    def plainly(self, error: Exception) -> Exception:
        """What a piece of the reader's has raised, in the reader's terms; any other error as it is."""

    @property
    def watched(self) -> bool:
        """Whether anybody wants to be told of operations."""

    def keeper(self) -> KeepsHints:
        """The node as one that keeps hints. Raises NotInThisStage."""

    def now_ms(self) -> int:
        """The node's wall clock, as wrong as it is skewed."""

    def put(self, key: Key, item: Item, w: int | None, context: bytes) -> Coroutine[Any, Any, Context | None]:
        """A client's write; `context` is what the client has seen. Raises BadContext."""

    def delete(
        self, key: Key, w: int | None, context: bytes
    ) -> Coroutine[Any, Any, bool | tuple[bytes, ...]]:
        """A client's delete; returns whether there was a value, or which."""

    def operation(
        self, name: str, key: Key, value: bytes | None, work: Coroutine[Any, Any, T], /
    ) -> Coroutine[Any, Any, T]:
        """The same work, with its OpStarted and OpEnded told. Called only while `watched`.

        Each command runs in a context of its own, where this may say which operation it is.
        """

    def table(self) -> Sequence[Row]:
        """The node's heartbeat table, its own row first; empty before stage 7."""

    def belief(self, peer: NodeId) -> str:
        """What the node believes of another."""

    def fault(self, error: Exception) -> None:
        """A handler raised what it should not have: tell whoever owns the node."""


class Scans:
    """The SCANs under way: each walks a list of the keys as they were when it began.

    So a key that was there throughout is certainly returned, whatever is written meanwhile; the store needs
    no order of its own; and a client may go on with its cursor over another connection.
    """

    def __init__(self) -> None:
        self._lists: dict[int, list[Key]] = {}
        self._begun = 0

    def begin(self, keys: list[Key], count: int) -> tuple[int, Sequence[Key]]:
        """The cursor to go on with, 0 at the end, and the first `count` keys."""
        if len(keys) <= count:
            return 0, keys
        self._begun += 1
        self._lists[self._begun] = keys
        if len(self._lists) > SCANS_MAX:
            del self._lists[next(iter(self._lists))]
        return self.go_on(self._begun << 32, count)

    def go_on(self, cursor: int, count: int) -> tuple[int, Sequence[Key]]:
        """The next `count` keys. Raises Complaint for a scan that ended or had to give way."""
        scan, at = cursor >> 32, cursor & 0xFFFFFFFF
        keys = self._lists.get(scan)
        if keys is None:
            raise Complaint(
                "ERR invalid cursor: no SCAN of this node is there to go on with. It has ended, or more than "
                f"{SCANS_MAX} others began since; begin again with SCAN 0"
            )
        if at + count >= len(keys):
            del self._lists[scan]
            return 0, keys[at:]
        return cursor + count, keys[at : at + count]


class Serving:
    """What all sessions of one port share: the node, the counters, the scans."""

    def __init__(self, host: Served) -> None:
        self.host = host
        self.port = 0
        self.started = time.monotonic()
        self.sessions: dict[int, Session] = {}
        self.accepted = 0
        self.commands = 0
        self.scans = Scans()


class Session:
    """One connection, as commands see it."""

    def __init__(self, serving: Serving, address: str) -> None:
        serving.accepted += 1
        self.id = serving.accepted
        self.serving = serving
        self.host = serving.host
        self.address = address
        self.began = time.monotonic()
        self.name = ""
        self.library = {"lib-name": "", "lib-ver": ""}
        self.leaving = False  # it has said QUIT
        self.direct = not self.host.stage.contexts
        """Reads and writes have no contexts to carry from one to the next."""
        self.at_once = self.host.at_once
        self.seen: OrderedDict[Key, bytes] = OrderedDict()
        """The context by which this connection last saw each key, the latest last."""
        self.speak(2)

    def speak(self, version: int) -> None:
        """Answer in this version of the protocol from now on."""
        self.wire = Wire(version)
        self.nil = self.wire.nil  # here as well, because GET is in a hurry

    # -- the three operations --------------------------------------------------------------------

    def get(self, key: Key, r: int | None = None) -> Coroutine[Any, Any, Copy | None]:
        host = self.host
        work = host.node.get(key, r)
        found = host.operation("get", key, None, work) if host.watched else work
        return found if self.direct else self._seen(key, found)

    def put(
        self, key: Key, item: Item, w: int | None = None, context: bytes | None = None
    ) -> Coroutine[Any, Any, Context | None]:
        """A write replaces what this connection has last seen of the key, or what `context` has seen."""
        host = self.host
        if self.direct:
            work = host.node.put(key, item, w)
            return host.operation("put", key, item.value, work) if host.watched else work
        work = host.put(key, item, w, self.seen.get(key, b"") if context is None else context)
        return self._seen(key, host.operation("put", key, item.value, work) if host.watched else work)

    def delete(
        self, key: Key, w: int | None = None, context: bytes | None = None
    ) -> Coroutine[Any, Any, bool | tuple[bytes, ...]]:
        host = self.host
        seen = self.seen.pop(key, b"") if context is None else context
        work = host.delete(key, w, seen)
        return host.operation("delete", key, None, work) if host.watched else work

    async def _seen(self, key: Key, work: Coroutine[Any, Any, T]) -> T:
        """Do this, and remember the context that it returns."""
        found = await work
        if context := context_in(found):
            self.seen[key] = context
            self.seen.move_to_end(key)
            if len(self.seen) > CONTEXTS_MAX:
                self.seen.popitem(last=False)
        return found

    def describe(self) -> str:
        """One line of CLIENT LIST."""
        age = int(time.monotonic() - self.began)
        library = " ".join(f"{name}={value}" for name, value in self.library.items())
        return (
            f"id={self.id} addr={self.address} laddr=127.0.0.1:{self.serving.port} "
            f"name={self.name} age={age} flags=N db=0 user=default resp={self.wire.version} {library}"
        )
