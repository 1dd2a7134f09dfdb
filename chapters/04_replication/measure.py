"""Chapter 4's experiment: twelve nodes in three zones, three copies a key, and k nodes die at a time.

    lost        the share of all keys whose three replicas are among k nodes drawn at random. Theory: a list
                of three is among them in C(k, 3) of C(12, 3) cases, for any way of making lists.
    any, v=1    in how many of the draws at least one key is lost, with one token a node ...
    any, v=64   ... and with 64. What is lost on average is the same; how often something is lost is not.
    writes      the share of keys that can still be written with w=3: all their replicas are alive.
    blind       the share lost if the dead stand in one zone (and in the next when that is full), and the
                lists know of no zones ...
    zones       ... and if they do.

A share of keys is a share of the circle, added up arc by arc; nothing is drawn but who dies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from math import comb
from random import Random
from statistics import mean

from kvlab.core.hashing import RING_SIZE
from kvlab.core.placement import preference_list
from kvlab.core.ring import Ring
from kvlab.course.measuring import Table
from kvlab.messages import Member, NodeId, RingSpec

NODES, ZONES, COPIES = 12, 3, 3
DEAD_MAX = 8

Lists = list[tuple[float, frozenset[NodeId]]]
"""Every list of replicas that there is, with the share of the circle whose keys have it."""


def lists_of(vnodes: int, *, zones: bool) -> Lists:
    """With zones: n1, n4 ... in z1, and so on. Without: all in one."""
    members = [Member(NodeId(f"n{i + 1}"), f"z{i % ZONES + 1}" if zones else "z1") for i in range(NODES)]
    ring = Ring(RingSpec(0, tuple(members), vnodes))
    points = [point for point, _ in ring.tokens()]
    arcs = [(point - points[i - 1]) % RING_SIZE / RING_SIZE for i, point in enumerate(points)]
    return [(arc, frozenset(preference_list(ring, slot, COPIES))) for slot, arc in enumerate(arcs)]


def lost(lists: Lists, dead: Collection[NodeId]) -> float:
    """The share of keys of which all copies are on these nodes."""
    return sum(arc for arc, replicas in lists if replicas.issubset(dead))


def writable(lists: Lists, dead: Iterable[NodeId]) -> float:
    """The share of keys of which all replicas are alive."""
    return sum(arc for arc, replicas in lists if replicas.isdisjoint(dead))


def measure(quick: bool, tell: Callable[[str], None]) -> Table:
    draws = 30 if quick else 1000
    one, blind, aware = lists_of(1, zones=False), lists_of(64, zones=False), lists_of(64, zones=True)
    nodes = [NodeId(f"n{i + 1}") for i in range(NODES)]
    by_zone = [NodeId(f"n{i + 1}") for zone in range(ZONES) for i in range(zone, NODES, ZONES)]
    random, rows = Random(1), []
    for count in range(1, DEAD_MAX + 1):
        tell(f"{count} of {NODES} nodes die, {draws} times")
        drawn = [frozenset(random.sample(nodes, count)) for _ in range(draws)]
        gone = [lost(blind, dead) for dead in drawn]
        rows.append(
            (
                count,
                mean(gone),
                comb(count, COPIES) / comb(NODES, COPIES),
                mean(lost(one, dead) > 0 for dead in drawn),
                mean(share > 0 for share in gone),
                mean(writable(blind, dead) for dead in drawn),
                lost(blind, by_zone[:count]),
                lost(aware, by_zone[:count]),
            )
        )
    return Table(
        title=f"{NODES} nodes, {COPIES} copies of each key, and some die at a time ({draws} draws)",
        columns=("dead", "lost", "theory", "any, v=1", "any, v=64", "writes", "blind", "zones"),
        rows=tuple(rows),
        measured="lost",
        theory="theory",
        unit="share of all keys",
        said="Two deaths lose nothing, whichever they are. A zone of four that dies loses some keys if the "
        "lists are blind to zones, and none if they are not; nor do two zones. Many tokens make it likelier "
        "that three deaths lose something, and less of it each time. And what is not lost is not yet well: "
        "with w=3 a key can be written as long as nobody on its list is dead.",
    )
