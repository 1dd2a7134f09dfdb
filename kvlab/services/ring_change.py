"""Joining and leaving: the part of the node that carries a change of the ring through.

Source and protocol: services/transfer.py. A node drives its own joining and its own leaving; one that is
down is struck off by any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvlab.core.ring import joined, left
from kvlab.errors import Busy, OperationError, PeerRefused, PeerSilent, RingChangeFailed, RingMoved
from kvlab.messages import (
    Abort,
    ChangeId,
    Freeze,
    Give,
    Install,
    Installed,
    Member,
    NodeId,
    Prepare,
    R,
    Request,
    RingSpec,
)
from kvlab.services.transfer import Transfer

POLL_MS = 20.0
ATTEMPTS = 100
"""How often to begin again when another change comes first; the waits between add up to some 10 s."""


async def join(transfer: Transfer[Any], member: Member) -> int:
    """Become a member; returns how many copies of keys arrived. Raises RingChangeFailed.

    Who is a member already has nothing to do: it died as it joined, and the others had taken it in.
    """
    return await _until_first(transfer, lambda ring: joined(ring, member), ())


async def leave(transfer: Transfer[Any], node: NodeId, dead: tuple[NodeId, ...] = ()) -> int:
    """Take a node off the ring; returns how many copies moved to others. Raises RingChangeFailed.

    Its own wish, or another's if it is among the `dead`: then the other replicas of its keys give. Who is
    no member has nothing to do.
    """
    ring = transfer.ring
    if left(ring, node) == ring:
        return 0
    if len(ring.members) <= transfer.n or len(ring.members) == 1:
        raise RingChangeFailed(
            f"{node} cannot leave: {len(ring.members)} nodes hold n={transfer.n} copies of every key, "
            "and one fewer could not; add a node first"
        )
    if node in dead and transfer.n == 1:
        raise RingChangeFailed(
            f"{node} is down and holds the only copy of its keys: removing it would lose them. Restart "
            "it and remove it then (from stage 4 on, its keys have other copies)"
        )
    return await _until_first(transfer, lambda ring: left(ring, node), dead)


async def _until_first(
    transfer: Transfer[Any], plan: Callable[[RingSpec], RingSpec], dead: tuple[NodeId, ...]
) -> int:
    """Drive the change; if another one comes first, learn its ring and begin again."""
    for _ in range(ATTEMPTS):
        ring = plan(transfer.ring)
        if ring == transfer.ring:
            return 0
        try:
            return await drive(transfer, ring, dead)
        except RingMoved as moved:
            transfer.learn(moved.ring)
        except OperationError as error:
            if not is_busy(error) and transfer.ring.epoch < ring.epoch:  # else ours was out of date
                raise RingChangeFailed(explain(error)) from error
            await transfer.env.sleep(transfer.env.random.uniform(50, 150))
    raise RingChangeFailed("other changes of the ring came first, again and again; try later")


async def drive(transfer: Transfer[Any], ring: RingSpec, dead: tuple[NodeId, ...]) -> int:
    """Carry through one change; returns how many copies moved. On any error this change is off."""
    if transfer.driving is not None:
        raise Busy(f"{transfer.env.me} is carrying through another change of the ring")
    me = transfer.env.me
    change = ChangeId(f"{me}-{transfer.env.random.getrandbits(32):08x}")
    others = sorted({m.node for m in (*transfer.ring.members, *ring.members)} - {me, *dead})
    members = sorted([*others, me])
    asked: list[NodeId] = []
    transfer.driving = change
    try:
        for member in members:  # one by one, lowest first: of two drivers, one comes first everywhere
            asked.append(member)
            await transfer.insist(member, Prepare(change, ring, me, dead))
        moved = await _all_given(transfer, members, change)
        for member in members:
            await transfer.insist(member, Freeze(change))
        await _put_in_force(transfer, others, change, ring)
    except OperationError:
        transfer.driving = None
        for member in asked:
            transfer.env.later(_tell(transfer, member, Abort(change)))
        raise
    transfer.driving = None
    return moved


async def _all_given(transfer: Transfer[Any], members: list[NodeId], change: ChangeId) -> int:
    """Let every source stream what it has; returns the number of copies when all have arrived."""
    while True:
        told = [await transfer.insist(member, Give(change)) for member in members]
        if all(giving.done for giving in told):
            return sum(giving.copies for giving in told)
        await transfer.env.sleep(POLL_MS)


async def _put_in_force(
    transfer: Transfer[Any], others: list[NodeId], change: ChangeId, ring: RingSpec
) -> None:
    """Tell everybody of the new ring, and work by it ourselves once one of them does.

    Raises RingChangeFailed if they have all settled for the old ring, RingMoved if yet another one came
    after that. Until one or the other is known there is no way back: who is silent may have installed the
    ring, and to call the change off would leave two rings at work.
    """
    refused: list[NodeId] = []
    while transfer.ring.epoch < ring.epoch:
        refused.clear()
        async for member, answer in transfer.env.each(
            others, lambda member: transfer.insist(member, Install(change, ring))
        ):
            if isinstance(answer, Installed):
                transfer.learn(ring)
            elif isinstance(answer, RingMoved):
                transfer.learn(answer.ring)
            elif not isinstance(answer, PeerSilent):
                refused.append(member)
        if len(refused) == len(others):
            raise RingChangeFailed(
                f"the others did not hear from {transfer.env.me} for so long that they called the change "
                "off; heal the network, and try again"
            )
    if transfer.ring != ring:
        raise RingMoved(transfer.ring)
    for member in refused:  # restarted since, it knows of no change and would go on by the old ring
        transfer.env.later(_tell(transfer, member, Install(change, ring, settles=True)))


async def _tell(transfer: Transfer[Any], member: NodeId, request: Request[R]) -> None:
    try:
        await transfer.insist(member, request)
    except OperationError:
        return  # it is silent; when it is back it asks whether the change is still driven, and settles


def is_busy(error: OperationError) -> bool:
    """Whether somebody else's change stands in the way, so that a later attempt may do better."""
    return isinstance(error, Busy) or (isinstance(error, PeerRefused) and error.error == "Busy")


def explain(error: OperationError) -> str:
    if isinstance(error, PeerSilent):
        return (
            f"{error}. A change of the ring needs every member: two halves that disagree about who owns a "
            f"key would lose writes. Restart {error.peer}, or heal the network, or remove {error.peer} if it "
            "will not come back; and try again"
        )
    return str(error)
