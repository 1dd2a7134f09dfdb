"""Forwarding: how a write comes to a replica of its key, which numbers it, once.

Source: DeCandia et al. 2007, section 4.5: a node that is no replica of the key forwards the request.
Invariant: of one write of a client at most one replica makes one dot, whatever the network does with it. Two
    dots would be two writes: a delete that has seen the one would leave the other, back from the dead.
Deviation: Riak, when the replica that it forwarded to falls silent, tries the next, and may have it written
    twice. Here it is asked first who is there; the first to answer gets the write; and if it falls silent
    after that, the write is unknown, and stays so.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from kvlab.config import ClusterConfig
from kvlab.core.quorum import Tally
from kvlab.env import Env
from kvlab.errors import OperationError, Outcome, QuorumNotReached
from kvlab.messages import Context, Forward, Forwarded, GetRing, Item, Key, NodeId
from kvlab.services.transfer import Transfer

REMEMBERED = 10_000
"""So many writes are known again when the network brings one twice."""


class Forwarding:
    """A node's part in having writes numbered. `number` is the stage's: make a dot, let replicas have it."""

    def __init__(
        self,
        env: Env,
        config: ClusterConfig,
        transfer: Transfer[Any],
        number: Callable[[Forward], Awaitable[Context]],
    ) -> None:
        self.env, self.config, self.transfer, self.number = env, config, transfer, number
        self.count = 0
        self.begun: OrderedDict[str, asyncio.Future[Context]] = OrderedDict()

    async def write(
        self,
        key: Key,
        item: Item | None,
        w: int,
        context: Context,
        among: Sequence[NodeId] | None = None,
        myself: bool = False,
    ) -> Context:
        """Have a write numbered by this node if it is a replica of the key, else by the first that answers;
        with `among`, by one of those. With `myself`, by this node too when nobody does.

        Raises QuorumNotReached: failed if nobody has it, unknown if somebody may.
        """
        self.count += 1
        name = f"{self.env.me}.{self.env.generation}.{self.count}"
        tried = Tally(1, [])
        async for replica in self._willing(key, among, myself):
            tried.of.append(replica)
            try:
                return await self._ask(replica, name, key, item, w, context)
            except QuorumNotReached:
                raise  # my own
            except OperationError as error:
                tried.add(replica, error)
                if error.outcome is Outcome.UNKNOWN:
                    break  # it may have the write: another would write it again
        if not tried.of:
            raise Tally(w, self.transfer.replicas(key), among).missing("the write", QuorumNotReached)
        raise tried.missing("the write", QuorumNotReached)

    async def _ask(
        self, replica: NodeId, name: str, key: Key, item: Item | None, w: int, context: Context
    ) -> Context:
        """It waits for others itself, so it has to be waited for a little longer."""

        def forward(epoch: int) -> Forward:
            return Forward(name, key, item, w, context, epoch)

        if replica not in self.transfer.replicas(key):
            return (await self.env.ask(replica, forward(self.transfer.ring.epoch))).context
        limit_ms = 1.25 * self.config.timeout_ms
        return (await self.transfer.ask_one(key, replica, forward, limit_ms)).context

    async def _willing(self, key: Key, among: Sequence[NodeId] | None, myself: bool) -> AsyncIterator[NodeId]:
        """Who could number a write of this key, in the order to ask them."""
        me = self.env.me
        if me in self.transfer.replicas(key):
            yield me
            return
        answered = False
        async for replica, answer in self.transfer.ask_each(key, lambda epoch: GetRing(), among):
            if isinstance(answer, OperationError):
                continue
            if replica in self.transfer.replicas(key):  # it may have given the key up meanwhile
                answered = True
                yield replica
        if myself and not answered:
            yield me

    async def on(self, sender: NodeId, request: Forward) -> Forwarded:
        """As the replica: number the write, or if the network has brought it before, say the same again."""
        await self.transfer.admit(sender, request)
        if (before := self.begun.get(request.write)) is not None:
            return Forwarded(await before)
        answer = self.begun[request.write] = asyncio.get_running_loop().create_future()
        if len(self.begun) > REMEMBERED:
            self.begun.popitem(last=False)
        try:
            context = await self.number(request)
        except Exception as error:
            answer.set_exception(error)
            answer.exception()  # it may be that nobody asks again
            raise
        answer.set_result(context)
        return Forwarded(context)
