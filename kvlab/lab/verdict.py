"""The verdict: of what several replicas hold under one key, what replaces what, in words.

It is computed as the replicas would do it (core/clocks.py, core/versions.py), from the copies that their
events have told.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from kvlab.core import clocks
from kvlab.core.versions import newest
from kvlab.lab.draw.canvas import shown
from kvlab.lab.view import Held, View
from kvlab.messages import Dot, NodeId, Siblings, Version


def listed(names: Sequence[str]) -> str:
    """n1; n1 and n2; n1, n2 and n3."""
    *most, last = names or ("nobody",)
    return f"{', '.join(most)} and {last}" if most else last


def write_of(dot: Dot) -> str:
    """The name of one write, as people read it: n1:3 is the third that n1 has numbered."""
    return f"{clocks.node_of(dot.actor)}:{dot.count}"


def verdict(view: View) -> list[str]:
    """Sentences about the home replicas that are there; [] if nothing is held at all."""
    there = {node.node for node in view.nodes if node.state in ("up", "paused")}
    held = [one for one in view.holdings if one.node in there and one.told]
    if view.homes:
        held = [one for one in held if one.place]
    copies = [one.copy for one in held if one.copy is not None]
    siblings = [copy for copy in copies if isinstance(copy, Siblings)]
    versions = [copy for copy in copies if isinstance(copy, Version)]
    if siblings:
        return _of_siblings(held, reduce(clocks.merged, siblings))
    if versions:
        return _of_versions(held, reduce(newest, versions))
    if all(one.nothing for one in held):
        return []
    values = {one.values for one in held}
    if len(held) == 1:
        return ["There is one copy: with its node, it is gone."]
    if len(values) == 1:
        return [_same(len(held))]
    return ["They differ, and nothing says which is newer: stage 5 writes down when."]


def _of_siblings(held: Sequence[Held], final: Siblings) -> list[str]:
    """Who is behind what all of them hold between them, and how its values stand to each other."""
    wanted = {sibling.dot for sibling in final.siblings}
    behind: dict[str, list[NodeId]] = {}
    replaced = False
    for one in held:
        has = {s.dot for s in one.copy.siblings} if isinstance(one.copy, Siblings) else set()
        replaced |= bool(has - wanted)
        if has != wanted:
            behind.setdefault(_behind(has, wanted), []).append(one.node)
    told = [f"{listed(nodes)} {_verb(nodes)} {how}." for how, nodes in behind.items()]
    if not behind:
        told.append(_same(len(held)))
    if len(final.siblings) > 1:
        writes = [f"{write_of(s.dot)} ({_value(s.value)})" for s in final.siblings]
        writers, every = ("neither writer had", "both") if len(writes) == 2 else ("no writer had", "all")
        told.append(
            f"CONCURRENT: {listed(writes)}: {writers} seen the other. A read returns {every}, and the write "
            f"that follows it replaces {every}."
        )
    elif replaced:
        (last,) = final.siblings
        told.append(f"{write_of(last.dot)} ({_value(last.value)}) replaces the rest: its writer had seen it.")
    return told


def _behind(has: set[Dot], wanted: set[Dot]) -> str:
    missing = listed([write_of(dot) for dot in sorted(wanted - has)])
    old = listed([write_of(dot) for dot in sorted(has - wanted)])
    if not has:
        return f"behind, without any copy: {missing} is not there yet"
    if wanted - has and has - wanted:
        return f"behind: {old} has been replaced, and {missing} is not there yet"
    return f"behind: {missing} is not there yet" if wanted - has else f"behind: {old} has been replaced"


def _of_versions(held: Sequence[Held], final: Version) -> list[str]:
    """Who is behind the version that was written last, as far as clocks can tell."""
    behind: dict[str, list[NodeId]] = {}
    for one in held:
        if one.copy != final:
            late_ms = final.stamp_ms - one.copy.stamp_ms if isinstance(one.copy, Version) else None
            why = _late(late_ms) + (f", so {_value(final.value)} replaces it" if late_ms is not None else "")
            behind.setdefault(why, []).append(one.node)
    told = [f"{listed(nodes)} {_verb(nodes)} behind: {why}." for why, nodes in behind.items()]
    return told or [_same(len(held))]


def _late(late_ms: int | None) -> str:
    """Why a version gives way to another that is so much later; None: there is no version."""
    if late_ms is None:
        return "no copy is there yet"
    if late_ms == 0:
        return "the value loses the tie"
    late = f"{late_ms} ms" if late_ms < 1000 else f"{late_ms / 1000:.1f} s"
    return f"the write is {late} older by the clock"


def _same(count: int) -> str:
    few = {1: "One of them is there to say.", 2: "Both hold the same."}
    return few.get(count, f"All {count} hold the same.")


def _verb(nodes: Sequence[str]) -> str:
    return "is" if len(nodes) == 1 else "are"


def _value(value: bytes | None) -> str:
    return "a delete" if value is None else shown(value, 20)
