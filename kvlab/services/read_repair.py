"""Read repair: a read brings the replicas up to date that it has found behind.

Source: DeCandia et al. 2007, section 5.
Invariant: what a replica is sent is what all answers so far come to, to be merged with what it holds: a
    repair that comes late undoes nothing.
Invariant: it is sent to who holds the key by the ring in force. A copy anywhere else would be compared with
    nobody's, and be there, old as it is, when the key comes back to that node.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Generic

from kvlab.core.quorum import Answers
from kvlab.env import Answer, Env
from kvlab.errors import OperationError
from kvlab.messages import C, Fetched, FoundHint, Keep, Key, NodeId
from kvlab.services.transfer import Transfer


class ReadRepair(Generic[C]):
    """What follows a read that has been answered."""

    def __init__(self, env: Env, transfer: Transfer[Any]) -> None:
        self.env, self.transfer = env, transfer

    async def after(
        self,
        key: Key,
        answers: Answers[C],
        late: AsyncIterator[tuple[NodeId, Answer[Fetched[C]]]]
        | AsyncIterator[tuple[NodeId, Answer[Fetched[C] | FoundHint[C]]]],
    ) -> None:
        """Repair who is behind, and go on with the answers that come too late to count."""
        await self._mend(key, answers)
        async for replica, answer in late:
            answers.add(replica, answer)
            await self._mend(key, answers)

    async def _mend(self, key: Key, answers: Answers[C]) -> None:
        for replica in answers.behind():
            if replica not in self.transfer.replicas(key):
                continue  # the ring has changed since the read, and it has given the key up
            copy = answers.agreed()
            assert copy is not None, "somebody is behind somebody"
            try:
                await self.env.ask(replica, Keep(key, copy, self.transfer.ring.epoch))
            except OperationError:
                continue  # it stays behind until the next read
            answers.copies[replica] = copy
            self.env.repaired(key, replica, "read")
