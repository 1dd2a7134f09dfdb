"""Two sentences: what just happened, and what to try next. Pure: from a view.

They say what the reader can check on the screen, and name one key to press.
"""

from __future__ import annotations

from kvlab.lab.advice import advice
from kvlab.lab.draw.canvas import short_ms, shown
from kvlab.lab.draw.panels import size_of
from kvlab.lab.verdict import listed
from kvlab.lab.view import Shot, View, counted
from kvlab.messages import NodeId
from kvlab.script.help import Page
from kvlab.script.session import Step
from kvlab.stages.pieces import NOT_YET
from kvlab.trace.events import (
    Believed,
    ClockSkewed,
    EventsLost,
    Exchanged,
    Hinted,
    LinkChanged,
    Locked,
    MessageDropped,
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
    Repaired,
    RingChanged,
    Said,
)


def sentences(view: View) -> tuple[str, str]:
    """(what just happened, what to try next)."""
    if not view.ready:
        up, kind = len(view.in_state("up")), "Simulated nodes" if view.simulated else "Processes, one a node,"
        return f"{kind} are starting: {up} of {len(view.nodes)} answer.", ""
    return happened(view), advice(view)


def happened(view: View) -> str:
    """What the latest event that matters was."""
    match view.latest:
        case OpStarted() | OpEnded() if view.loading:
            return f"A load is under way, {view.loading}: tab 5 shows how the cluster bears it."
        case OpStarted() | OpEnded():
            return _operation(view.op, view) if view.op is not None else ""
        case NodeReady(node=node):
            held = view.node(node)
            empty = held is not None and not held.keys and held.generation
            return f"{node} answers{' again, with nothing in its memory' if empty else ''}."
        case NodeKilled(node=node):
            if view.durable:
                return f"{node} was killed: its process is gone; what it has confirmed is on its disk."
            return f"{node} was killed: its process is gone, and with it all that it held in memory."
        case NodeDied(node=node, why=why, log=log):
            return f"{node} died by itself: {why}." + (f" Its log: {log}" if log else "")
        case NodePaused(node=node):
            return f"{node} is paused: to its peers that is silence, exactly like death, but it will be back."
        case NodeResumed(node=node):
            return f"{node} goes on where it stood; first it reads what was sent to it meanwhile."
        case NodeLeft(node=node):
            return f"{node} handed over its keys and left the ring."
        case NodeFault(error=error) if view.op is not None and view.trouble_of(view.op) == error:
            return _operation(view.op, view)
        case NodeFault(node=node, error=error) if view.is_mine(error):
            whose = "" if error.endswith(NOT_YET) else ": a bug in your code, not bad luck"
            return f"{node} came to your {error}{whose}."
        case NodeFault(node=node, error=error):
            return f"The code of {node} raised {error}: a bug in the code, not bad luck."
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
            members = f"The ring has {counted(len(ring.members), 'member')} now (epoch {ring.epoch})"
            staying = {member.node for member in ring.members}
            if leaving := [node.node for node in view.nodes if node.node not in staying]:
                return f"{members}; {listed(leaving)} answers who asked by the old ring, and then ends."
            return f"{members}."
        case Locked(node=node, missing=missing):
            if missing:
                return (
                    f"{node} has not heard {listed(missing)} for a while, and takes no writes until it does."
                )
            return f"{node} hears everybody, and has exchanged copies with them: it takes writes again."
        case Overwritten(node=node, key=key, values=values, by=by):
            lost, kept = (shown(b" ".join(of), 20) if of else "a delete" for of in (values, by))
            return (
                f"{node} had told a client that {shown(key, 20)} = {lost} is done; {kept} has overwritten it."
            )
        case Believed(peer=peer):
            return _believed(peer, view)
        case Hinted():
            return _hinted(view.latest, view)
        case Repaired(op=op) if view.op is not None and op == view.op.op:
            return _operation(view.op, view)
        case Repaired(node=node, peer=peer, key=key):
            return f"{node} has mended the copy of {shown(key, 20)} at {peer}."
        case Exchanged():
            return _exchanged(view.latest)
        case MessageDropped(node=node, to=to, kind=kind):
            return f"The {kind} from {node} to {to} was dropped by hand. It never arrives; nobody is told."
        case ClockSkewed(node=node, skew_ms=skew):
            return f"The clock of {node} is wrong by {skew / 1000:+g} s, and it does not know."
        case EventsLost(node=node, count=count):
            return f"{node} told more than could be shown: {counted(count, 'event')} not shown here."
        case Said(text=text):
            return text
        case _:
            up = len(view.in_state("up"))
            return f"{counted(up, 'node')} {'is' if up == 1 else 'are'} up."


def _believed(peer: NodeId, view: View) -> str:
    """Who takes this node for what, and how long after it fell silent."""
    by: dict[str, list[NodeId]] = {}
    for node in view.nodes:
        if node.node != peer and node.state in ("up", "paused"):
            by.setdefault(node.beliefs.get(peer, "alive"), []).append(node.node)
    gone = view.node(peer)
    failed, suspect = by.get("failed", []), by.get("suspect", [])
    if not failed and not suspect:
        return f"Everybody takes {peer} for {'alive' if 'alive' in by else 'gone for good'} again."
    after = ""
    if gone is not None and gone.gone_ms is not None:
        found = [node for node in view.nodes if node.node in (failed or suspect)]
        times = [(node.believed_ms.get(peer, 0.0) - gone.gone_ms) / 1000 for node in found]
        spread = " to ".join(dict.fromkeys([f"{min(times):.1f}", f"{max(times):.1f}"]))
        after = f", {spread} s after it was {'killed' if gone.state == 'down' else 'paused'}"
    if not failed:
        verb = "suspects" if len(suspect) == 1 else "suspect"
        return f"{listed(suspect)} {verb} {peer}{after}. It is failed when nobody has heard it for longer."
    verb = "takes" if len(failed) == 1 else "take"
    others = f"; {listed(suspect)} only suspect{'s' if len(suspect) == 1 else ''} it" if suspect else ""
    alive = ". It is alive, and cannot be heard" if gone is not None and gone.state == "up" else ""
    return f"{listed(failed)} {verb} {peer} for failed{after}{others}{alive}."


def _hinted(event: Hinted, view: View) -> str:
    """What became of a hint; those that are kept for the sake of an operation are told with it."""
    keeper, owner, key = event.node, event.owner, shown(event.key, 20)
    left = f" {counted(event.hints, 'hint')} left there." if event.hints else ""
    match event.what:
        case "delivered":
            return f"{keeper} has brought {owner} what it kept for it: {key} is home.{left}"
        case "expired":
            return f"The hint of {keeper} for {owner} has expired: {key} will not come home from it."
        case "refused":
            return f"{keeper} has no room for one more hint: it did not take {key} for {owner}."
        case "moved":
            return f"{owner} is no replica of {key} any more: {keeper} readdresses its hint.{left}"
        case _:
            return f"{keeper} keeps {key} for {owner} until it is back."


def _exchanged(event: Exchanged) -> str:
    return (
        f"{event.node} and {event.peer} compared their trees, {counted(event.levels, 'level')} deep: "
        f"{counted(event.buckets, 'bucket')} and {counted(event.keys, 'key')} differed, found with "
        f"{size_of(event.size)} of hashes. Both sides take what they lack."
    )


def _links(view: View) -> str:
    if not view.links:
        return "The network is fast again."
    one = len(view.links) == 1
    return f"{counted(len(view.links), 'link')} {'is slow or loses' if one else 'are slow or lose'} messages."


def _operation(op: Shot, view: View) -> str:
    """What the operation shown has come to."""
    key, homes = shown(op.key, 20), list(view.homes)
    if not op.outcome:
        waiting = f" and waits for {listed(op.silent)}" if op.silent else ""
        slow = ""
        on_the_way = [link for link in view.links if link.node == op.via and link.to in op.silent]
        if (delays := {link.delay_ms for link in on_the_way if not link.loss}) and max(delays) > 0:
            slow = (
                f" Messages to {'it' if len(op.silent) == 1 else 'them'} take {max(delays):g} ms on purpose."
            )
        verb = {"put": "writes", "get": "reads", "delete": "deletes"}.get(op.kind, "works on")
        return f"{op.via} {verb} {key}{waiting}.{slow}"
    if op.outcome != "ok" and (trouble := view.trouble_of(op)):
        return f"Your {trouble}. {_became(op)}"
    if op.outcome != "ok":
        silent = f" {listed(op.silent)} did not answer." if op.silent else ""
        if op.kind == "get":
            return f"The get of {key} has failed: nothing is known of the value.{silent}"
        if op.outcome == "failed":
            return f"The {op.kind} of {key} has failed: nothing was written.{silent}"
        return f"What became of the {op.kind} of {key} is unknown: perhaps written, perhaps not.{silent}"
    took = f"in {op.took_ms:.0f} ms" if op.took_ms >= 1 else f"in {short_ms(op.took_ms)}"
    if op.kind == "get":
        found = " and ".join(shown(value, 20) for value in op.values)
        return f"{op.via} read {key}: {found or 'no such key'}, {took}.{_of_read(op)}"
    if op.kind == "delete":
        return f"{op.via} deleted {key}, {took}.{_kept_for(op)}"
    if not homes and len(op.holders) < 2:
        return f"{key} = {shown(op.value, 20)} is in the memory of {op.via}, and nowhere else."
    if not homes:  # of the mirror, where each node is to hold every key
        return f"{key} = {shown(op.value, 20)} is written {took}; {listed(op.holders)} hold it."
    confirmed = [node for node in op.holders if node in homes]
    places = [f"{node} ({zone})" if (zone := view.zone(node)) else node for node in confirmed]
    copies = f"{len(confirmed)} of {len(homes)} replicas hold it: {listed(places)}"
    if len(homes) == 1:
        copies = f"{listed(places)} {'holds' if len(places) < 2 else 'hold'} it"
    written = f"{key} = {shown(op.value, 20)} is written {took}; {copies}."
    born = ""
    if op.in_conflict:
        born = " It had not seen what was there: both values stay, as siblings."
    return f"{written}{_kept_for(op)}{born}"


def _became(op: Shot) -> str:
    """What the reader's piece has made of an operation by raising something."""
    if op.kind == "get":
        return "Nothing was read."
    if op.outcome == "failed":
        return "Nothing was written."
    return f"The {op.kind} of {shown(op.key, 20)} is perhaps written, perhaps not."


def _of_read(op: Shot) -> str:
    """What a read has found out beside the value."""
    told = " Nobody's writer had seen the other: they are siblings." if len(op.values) > 1 else ""
    if op.missed is not None:
        told += f" A stale read: {shown(op.missed, 20)} had been acknowledged before it began."
    if op.repaired:
        told += f" It has mended what {listed(op.repaired)} held."
    return told


def _kept_for(op: Shot) -> str:
    """Who stands in for whom."""
    return "".join(f" {keeper} keeps it for {owner}, as a hint." for keeper, owner in op.hinted)


def result_of(step: Step) -> str:
    """What came of a line, where the events do not tell; "" where they do."""
    told = bool(step.op)  # by events of its own
    if step.failure is not None:
        return f"{step.failure.expected}: no, found {step.failure.found}"
    if step.text and not (step.outcome is not None and told):
        return f"{step.command}: {step.text}"
    return ""


def messages(view: View) -> Page:
    """What there may be no room for: what the lab said, in full, and what came of the operation."""
    what, try_next = sentences(view)
    paragraphs = [*view.said[:1], what]
    if view.op is not None and view.op.text:
        paragraphs.append(f"{view.op.kind} {shown(view.op.key)}, {view.op.outcome}: {view.op.text}.")
    for trouble in dict.fromkeys(node.trouble for node in view.nodes if node.state == "up" and node.trouble):
        raised = listed([node.node for node in view.nodes if node.trouble == trouble])
        paragraphs.append(f"{raised} raised {trouble}.")
    paragraphs += [try_next, *(f"Before: {notice}" for notice in view.said[1:])]
    return Page("WHAT WAS SAID", tuple(dict.fromkeys(filter(None, paragraphs))))
