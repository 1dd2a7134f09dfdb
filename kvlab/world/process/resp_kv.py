"""Our own commands, which show what Redis' cannot: where a key lives, how many copies confirm, the ring."""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from kvlab.config import check_range
from kvlab.core.ring import Ring
from kvlab.errors import UserError
from kvlab.messages import Item
from kvlab.stages import NO_NUMBERS, checked
from kvlab.world.host import context_in
from kvlab.world.process.resp_numbers import integer_of
from kvlab.world.process.resp_replies import OK, Complaint, array, bulk, bulks, integer
from kvlab.world.process.resp_session import Session


class Options:
    """What may follow the arguments of KV.GET, KV.PUT and KV.DEL: how many replicas must answer (R or W), and
    what the writer has seen (CONTEXT; "" for nothing, which makes the write a blind one)."""

    def __init__(self, session: Session, command: str, words: list[bytes], letter: str) -> None:
        self.replicas: int | None = None
        self.context: bytes | None = None
        takes = [f"{letter} <number of replicas>"]
        if letter == "W" and session.host.stage.contexts:
            takes.append("CONTEXT <what KV.GET returned>")
        for option, value in itertools.zip_longest(words[::2], words[1::2]):
            name = option.upper().decode("ascii", "replace")
            if value is None or name not in [take.split()[0] for take in takes]:
                raise Complaint(f"ERR {command} takes nothing after its arguments but: {', '.join(takes)}")
            if name == "CONTEXT":
                self.context = value
            else:
                self.replicas = _copies(session, value, letter)


def _copies(session: Session, word: bytes, option: str) -> int:
    """The number that follows W or R: how many replicas have to answer."""
    config, stage = session.host.config, session.host.stage
    if stage.mirrored:
        raise UserError(f"{stage.title}, {NO_NUMBERS}")
    why = f"in this cluster {config.n} nodes hold a key"
    if not stage.replicated:
        why = f"in {stage.title}, one node holds a key"
    number = integer_of(word)
    check_range(f"{option}, the replicas to hear from,", number, 1, config.n if stage.replicated else 1, why)
    if stage.replicated:
        checked(replace(config, **{option.lower(): number}))  # stage 4 has all or one, and reads one
    return number


async def kv_get(session: Session, args: list[bytes]) -> bytes:
    """[context, [value, ...]]: siblings are several values. Before stage 6 there are no contexts: nil."""
    copy = await session.get(args[1], Options(session, "KV.GET", args[2:], "R").replicas)
    context = context_in(copy)
    return array([bulk(context) if context else session.nil, bulks([] if copy is None else copy.values)])


async def kv_put(session: Session, args: list[bytes]) -> bytes:
    """From stage 6 on, the context by which the key can be written next; before, OK."""
    options = Options(session, "KV.PUT", args[3:], "W")
    written = await session.put(args[1], Item(args[2]), options.replicas, options.context)
    return OK if written is None else bulk(context_in(written))


async def kv_del(session: Session, args: list[bytes]) -> bytes:
    options = Options(session, "KV.DEL", args[2:], "W")
    return integer(bool(await session.delete(args[1], options.replicas, options.context)))


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
    """Of each node that this one knows as a member: its zone and its weight; from stage 7 on what this node
    believes of it, and the heartbeat table."""
    host = session.host
    members = {
        member.node: {"zone": bulk(member.zone), "weight": integer(member.weight)}
        for member in host.ring.members
    }
    for row in host.table():
        members.setdefault(row.node, {}).update(  # one that left is in the table, and in no ring
            belief=bulk(host.belief(row.node)),
            generation=integer(row.generation),
            heartbeat=integer(row.heartbeat),
            heard_ms_ago=integer(row.age_ms),
            accusers=bulks(row.accusers),
        )
    return session.wire.map({node: session.wire.map(fields) for node, fields in members.items()})


def kv_hints(session: Session, args: list[bytes]) -> bytes:
    """Of each node that this one keeps hints for: how many."""
    counts = session.host.keeper().hints()
    return session.wire.map({owner: integer(count) for owner, count in counts.items()})


def kv_state(session: Session, args: list[bytes]) -> bytes:
    """This node: its name and stage, what it holds, its clock."""
    host = session.host
    return session.wire.map(
        {
            "node": bulk(host.me),
            "stage": bulk(f"{host.stage.number} {host.stage.name}"),
            "keys": integer(len(host.node.store)),
            "tombstones": integer(host.node.store.tombstones),
            "bytes": integer(host.node.store.bytes),
            "clock_ms": integer(host.now_ms()),
            "epoch": integer(host.ring.epoch),
            "watched": bulk("yes" if host.watched else "no"),
        }
    )
