"""Two sentences: what just happened, and what to try next. Pure: from a view.

They say what the reader can check on the screen, and name one key to press.
"""

from __future__ import annotations

from collections.abc import Sequence

from kvlab.lab.draw.canvas import shown
from kvlab.lab.view import Shot, View, counted
from kvlab.script.help import Page
from kvlab.trace.events import (
    ClockSkewed,
    EventsLost,
    LinkChanged,
    Locked,
    NodeDied,
    NodeFault,
    NodeKilled,
    NodeLeft,
    NodePaused,
    NodeReady,
    NodeResumed,
    OpEnded,
    OpStarted,
    Overwritten,
    Partitioned,
    RingChanged,
    Said,
)


def sentences(view: View) -> tuple[str, str]:
    """(what just happened, what to try next)."""
    if not view.ready:
        up, kind = len(view.in_state("up")), "Simulated nodes" if view.simulated else "Processes, one a node,"
        return f"{kind} are starting: {up} of {len(view.nodes)} answer.", ""
    return happened(view), advice(view)


def _listed(nodes: Sequence[str]) -> str:
    """n1; n1 and n2; n1, n2 and n3."""
    *most, last = nodes or ("nobody",)
    return f"{', '.join(most)} and {last}" if most else last


def happened(view: View) -> str:
    """What the latest event that matters was."""
    match view.latest:
        case OpStarted() | OpEnded():
            return _operation(view.op, view) if view.op is not None else ""
        case NodeReady(node=node):
            held = view.node(node)
            empty = held is not None and not held.keys and held.generation
            return f"{node} answers{' again, with nothing in its memory' if empty else ''}."
        case NodeKilled(node=node):
            return f"{node} was killed: its process is gone, and with it all that it held in memory."
        case NodeDied(node=node, why=why, log=log):
            return f"{node} died by itself: {why}." + (f" Its log: {log}" if log else "")
        case NodePaused(node=node):
            return f"{node} is paused: to its peers that is silence, exactly like death, but it will be back."
        case NodeResumed(node=node):
            return f"{node} goes on where it stood; first it reads what was sent to it meanwhile."
        case NodeLeft(node=node):
            return f"{node} handed over its keys and left the ring."
        case NodeFault(node=node, error=error):
            return f"The code of {node} raised {error}: a bug in the stage, not bad luck."
        case Partitioned():
            if view.groups:
                sides = " | ".join(" ".join(group) for group in view.groups)
                return f"The network is cut: {sides}. Across the cut there is only silence, no error."
            return "The network is well again: no cut, no delay, no loss."
        case LinkChanged(node=node, to=to, delay_ms=delay):
            if delay:
                ends = [{link.node, link.to} for link in view.links if link.delay_ms == delay]
                common = set.intersection(*ends) if len(ends) > 2 else set()
                if len(common) == 1:  # one node's links to all the others, told one after the other
                    return f"All that {common.pop()} sends and receives takes {delay:g} ms more from now on."
                return f"Messages between {node} and {to} take {delay:g} ms more from now on."
            written = f"{_operation(view.op, view)} " if view.op is not None else ""
            return written + _links(view)
        case RingChanged(ring=ring):
            if view.phase:
                return f"The ring is changing ({view.phase}): keys travel to their new owners."
            return f"The ring has {counted(len(ring.members), 'member')} now (epoch {ring.epoch})."
        case Locked(node=node, missing=missing):
            if missing:
                return (
                    f"{node} has not heard {_listed(missing)} for a while, and takes no writes until it does."
                )
            return f"{node} hears everybody, and has exchanged copies with them: it takes writes again."
        case Overwritten(node=node, key=key, values=values, by=by):
            lost, kept = (shown(b" ".join(of), 20) if of else "a delete" for of in (values, by))
            return (
                f"{node} had told a client that {shown(key, 20)} = {lost} is done; {kept} has overwritten it."
            )
        case ClockSkewed(node=node, skew_ms=skew):
            return f"The clock of {node} is wrong by {skew / 1000:+g} s, and it does not know."
        case EventsLost(node=node, count=count):
            return f"{node} told more than could be shown: {counted(count, 'event')} not shown here."
        case Said(text=text):
            return text
        case _:
            up = len(view.in_state("up"))
            return f"{counted(up, 'node')} {'is' if up == 1 else 'are'} up."


def _links(view: View) -> str:
    if not view.links:
        return "The network is fast again."
    one = len(view.links) == 1
    return f"{counted(len(view.links), 'link')} {'is slow or loses' if one else 'are slow or lose'} messages."


def _operation(op: Shot, view: View) -> str:
    """What the operation shown has come to."""
    key, homes = shown(op.key, 20), list(view.homes)
    if not op.outcome:
        waiting = f" and waits for {_listed(op.silent)}" if op.silent else ""
        slow = ""
        on_the_way = [link for link in view.links if link.node == op.via and link.to in op.silent]
        if (delays := {link.delay_ms for link in on_the_way if not link.loss}) and max(delays) > 0:
            slow = (
                f" Messages to {'it' if len(op.silent) == 1 else 'them'} take {max(delays):g} ms on purpose."
            )
        verb = {"put": "writes", "get": "reads", "delete": "deletes"}.get(op.kind, "works on")
        return f"{op.via} {verb} {key}{waiting}.{slow}"
    if op.outcome != "ok":
        claim = "nothing was written" if op.outcome == "failed" else "it is perhaps written, perhaps not"
        if op.kind == "get":
            claim = "nothing is known of the value"
        silent = f" {_listed(op.silent)} did not answer." if op.silent else ""
        return f"The {op.kind} of {key} is {op.outcome}: {claim}.{silent}"
    took = f"in {op.took_ms:.0f} ms" if op.took_ms >= 1 else f"in {op.took_ms:.1f} ms"
    if op.kind == "get":
        found = " and ".join(shown(value, 20) for value in op.values)
        return f"{op.via} read {key}: {found or 'no such key'}, {took}."
    if op.kind == "delete":
        return f"{op.via} deleted {key}, {took}."
    if not homes:
        return f"{key} = {shown(op.value, 20)} is in the memory of {op.via}, and nowhere else."
    confirmed = [node for node in op.holders if node in homes]
    copies = f"{len(confirmed)} of {len(homes)} replicas hold it" if len(homes) > 1 else "it is held"
    places = [f"{node} ({zone})" if (zone := view.zone(node)) else node for node in confirmed]
    return f"{key} = {shown(op.value, 20)} is written {took}; {copies}: {_listed(places)}."


def advice(view: View) -> str:
    """One thing to try next, from how the cluster stands."""
    down, paused = view.in_state("down"), view.in_state("paused")
    if not view.in_state("up"):
        if not down and not paused:
            return "Nobody is up yet."
        return f"Nobody is up. Press {'r' if down else 'z'} and then {(down or paused)[0][1:]}."
    if view.op is not None and not view.op.outcome:
        return "Watch its events come in; or press k and a number to kill a node meanwhile."
    if view.groups and view.stage.mirrored:
        return _across_the_cut(view)
    if view.groups:
        return "Press w to write across the cut; then h to heal it, and g to see what is left."
    if down:
        return f"Press w to write without {down[0]}; then r and {down[0][1:]} to restart it, and g to read."
    if paused:
        return f"Press g to read without {paused[0]}; then z and {paused[0][1:]} to let it go on."
    if view.stage.mirrored:
        return "Press w to write; then p to cut the network, and w again: at once, and later."
    if not view.stage.ring:
        return "Press w to write more; then k and 1 to kill the node, and see what is left."
    holders = [node for node in view.homes if node in view.in_state("up")]
    if holders:
        victim = holders[-1]
        key = shown(view.key, 20)
        return f"Press k and {victim[1:]} to kill {victim}, a replica of {key}; then g to read it."
    return "Press w to write."


def _across_the_cut(view: View) -> str:
    """Stage 2: what the choice makes of the cut."""
    if any(node.missing for node in view.nodes):
        return "Writes are locked: press g to read, then h to heal the cut, and w to write."
    other = view.groups[-1][-1]
    return f"Press w to write here, type :put {shown(view.key, 12)} x via {other} to write there; then h."


def messages(view: View) -> Page:
    """What there may be no room for: what the lab said, in full, and what came of the operation."""
    what, try_next = sentences(view)
    paragraphs = [*view.said[:1], what]
    if view.op is not None and view.op.text:
        paragraphs.append(f"{view.op.kind} {shown(view.op.key)} is {view.op.outcome}: {view.op.text}.")
    paragraphs += [try_next, *(f"Before: {notice}" for notice in view.said[1:])]
    return Page("WHAT WAS SAID", tuple(dict.fromkeys(filter(None, paragraphs))))
