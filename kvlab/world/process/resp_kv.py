"""Our own commands, which show what Redis' cannot: where a key lives, how many copies confirm, the ring."""

from __future__ import annotations

from kvlab.config import check_range
from kvlab.core.ring import Ring
from kvlab.messages import Item
from kvlab.world.process.resp_numbers import integer_of
from kvlab.world.process.resp_replies import OK, Complaint, array, bulk, bulks, integer
from kvlab.world.process.resp_session import Session


def _copies(session: Session, command: str, words: list[bytes], option: str) -> int | None:
    """The number that follows W or R, if it is given: how many replicas have to answer."""
    if not words:
        return None
    if len(words) != 2 or words[0].upper() != option.encode():
        raise Complaint(f"ERR {command} takes nothing after its arguments but: {option} <number of replicas>")
    config, stage = session.host.config, session.host.stage
    why = f"in this cluster {config.n} nodes hold a key"
    if not stage.replicated:
        why = f"in {stage.title}, one node holds a key"
    number = integer_of(words[1])
    check_range(f"{option}, the replicas to hear from,", number, 1, config.n if stage.replicated else 1, why)
    return number


async def kv_get(session: Session, args: list[bytes]) -> bytes:
    """[context, [value, ...]]: siblings are several values. Before stage 6 there are no contexts: nil."""
    item = await session.get(args[1], _copies(session, "KV.GET", args[2:], "R"))
    return array([session.nil, bulks([] if item is None else [item.value])])


async def kv_put(session: Session, args: list[bytes]) -> bytes:
    await session.put(args[1], Item(args[2]), _copies(session, "KV.PUT", args[3:], "W"))
    return OK


async def kv_del(session: Session, args: list[bytes]) -> bytes:
    return integer(await session.delete(args[1], _copies(session, "KV.DEL", args[2:], "W")))


def kv_where(session: Session, args: list[bytes]) -> bytes:
    """The nodes that hold the key, in preference order."""
    return bulks(session.host.node.replicas(args[1]))


def kv_ring(session: Session, args: list[bytes]) -> bytes:
    """The ring's epoch and, of each node, the tokens and the share of all keys that it owns."""
    host = session.host
    if not host.stage.ring:
        raise Complaint(f"ERR {host.stage.title} has no ring: every node holds every key. Stage 3 adds it")
    ring = Ring(host.ring)
    nodes: dict[str, bytes] = {
        member.node: session.wire.map(
            {"tokens": integer(host.ring.vnodes * member.weight), "share": bulk(f"{share:.1%}")}
        )
        for member, share in zip(host.ring.members, ring.shares().values(), strict=True)
    }
    return session.wire.map({"epoch": integer(ring.epoch), "nodes": session.wire.map(nodes)})


def kv_members(session: Session, args: list[bytes]) -> bytes:
    """Of each node that this one knows as a member: its zone and its weight."""
    members: dict[str, bytes] = {
        member.node: session.wire.map({"zone": bulk(member.zone), "weight": integer(member.weight)})
        for member in session.host.ring.members
    }
    return session.wire.map(members)


def kv_state(session: Session, args: list[bytes]) -> bytes:
    """This node: its name and stage, what it holds, its clock."""
    host = session.host
    return session.wire.map(
        {
            "node": bulk(host.me),
            "stage": bulk(f"{host.stage.number} {host.stage.name}"),
            "keys": integer(len(host.node.store)),
            "bytes": integer(host.node.store.bytes),
            "clock_ms": integer(host.now_ms()),
            "epoch": integer(host.ring.epoch),
            "watched": bulk("yes" if host.watched else "no"),
        }
    )
