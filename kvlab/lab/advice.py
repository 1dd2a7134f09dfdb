"""One thing to try next, from how the cluster stands: it names a key to press, and fits in 78 columns."""

from __future__ import annotations

from kvlab.config import NODES_MAX
from kvlab.lab.draw.canvas import shown
from kvlab.lab.view import View
from kvlab.messages import NodeId
from kvlab.stages.pieces import NOT_YET
from kvlab.trace.events import MessageDropped

MANY_KEYS = 20
"""With fewer, nothing is to be seen of shares."""


def advice(view: View) -> str:
    """What is amiss comes first; in a cluster that is well, what this stage is about."""
    if view.moment.behind:
        return _looking_back(view)
    down, paused = view.in_state("down"), view.in_state("paused")
    if not view.in_state("up"):
        if not down and not paused:
            return "Nobody is up yet."
        first = (down or paused)[0][1:]
        if down and not view.stage.ring and not view.stage.mirrored:
            return f"Nobody is up. Press r and then {first} to restart it; then g: what is left?"
        return f"Nobody is up. Press {'r' if down else 'z'} and then {first}."
    if view.tab == "messages" and view.in_hand and view.message:
        return "Enter delivers the chosen message now, d drops it, t doubles it; n is a step."
    if any(view.is_mine(node.trouble) for node in view.nodes):
        look = "" if view.tab == "code" else "Press 6 to see the line. "
        to_do = "Write" if any(node.trouble.endswith(NOT_YET) for node in view.nodes) else "Mend"
        return f"{look}{to_do} it, run kvlab check {view.stage.number}; k, then r, loads it."
    if view.loading:
        where = "here" if view.tab == "load" else "in tab 5"
        return f"Press k and a number to kill a node, and see {where} what becomes of it."
    if view.op is not None and not view.op.outcome:
        return "Watch its events come in; or press k and a number to kill a node meanwhile."
    if view.groups:
        return _across_the_cut(view)
    if down:
        return _with_one_down(view, down[0])
    if paused:
        return _with_one_paused(view, paused[0])
    if any(len(held.values) > 1 for held in view.holdings):
        return "Press g to read them all; then w: a write that has seen them replaces them."
    return _when_well(view)


def _look(view: View, to_open: str, open_now: str) -> str:
    """How to come to see the data: nobody is to press 3 where that tab is open already."""
    return open_now if view.tab == "data" else to_open


def _looking_back(view: View) -> str:
    """What can be done about the past."""
    at = view.moment
    match at.kind:
        case "live":
            since = at.end - at.place
            return f"+{since} events since. n and b are steps, < and > what happened; space goes on."
        case "sim" if at.again is not None:
            return f"All up to step {at.step} is done again; the branch begins there."
        case "sim":
            return f"What you do now begins a branch at step {at.step}; space goes on from {at.steps}."
        case _ if at.place == at.end:
            return "The recording ends here. space plays it again; b and < lead back."
        case _ if at.held:
            return "n and b are steps, < and > lead to what happened; space plays on."
        case _:
            return "space holds it; < and > lead to what happened, - and + change the speed."


def _across_the_cut(view: View) -> str:
    """What a cut makes visible at this stage."""
    if not view.stage.mirrored and _met_the_cut(view):
        look = _look(view, "3 to see", "see here")
        return f"Press h to heal the cut; then g to read, and {look} who holds what."
    if not view.stage.mirrored:
        return "Press w to write across the cut; then h to heal it, and g to see what is left."
    if any(node.missing for node in view.nodes):
        return "Writes are locked: press g to read, then h to heal the cut, and w to write."
    other = view.groups[-1][-1]
    return f"Press w to write here, type :put {shown(view.key, 12)} x via {other} to write there; then h."


def _met_the_cut(view: View) -> bool:
    """Whether the operation shown has lost messages at it."""
    events = () if view.op is None else view.op.events
    return any(isinstance(event, MessageDropped) and event.why == "partition" for event in events)


def _done_without(view: View, gone: NodeId) -> str:
    """The kind of the operation shown, if it was begun when this node was down or paused already."""
    node, op = view.node(gone), view.op
    if node is None or node.gone_ms is None or op is None:
        return ""
    return op.kind if op.started_ms >= node.gone_ms else ""


def _with_one_paused(view: View, node: NodeId) -> str:
    match _done_without(view, node):
        case "put":
            return f"Press z and {node[1:]} to let {node} go on: it reads what was sent to it meanwhile."
        case "get":
            return f"Press w to write without {node}; then z and {node[1:]} to let it go on."
        case _:
            return f"Press g to read without {node}; then z and {node[1:]} to let it go on."


def _with_one_down(view: View, dead: NodeId) -> str:
    number, key = dead[1:], shown(view.key, 12)
    match view.stage.number:
        case 7 if not _found_out(view, dead):
            return f"Watch: each suspects {dead} by itself; it is failed once nobody has heard it."
        case 7:
            return f"Press w: nobody waits for {dead} any more; then r and {number} to restart it."
        case 8 | 9 if any(dead in node.hints for node in view.nodes):
            return f"Press r and {number} to restart {dead}: what others keep for it comes home."
        case 8 | 9 if dead in view.homes:
            return f"Press w to write {key}: a stand-in keeps it for {dead}; then r and {number}."
        case 9:
            look = _look(view, "press 3", "look here")
            return f"Press r and {number}, read nothing, and {look}: its replicas mend what it lost."
        case _ if _done_without(view, dead) == "put":
            how = "" if view.durable else ", empty"
            return f"Press r and {number} to restart {dead}{how}; then g to read {key}."
        case _:
            return f"Press w to write without {dead}; then r and {number} to restart it, and g to read."


def _with_one_empty(view: View, node: NodeId) -> str:
    """It has come back without its memory, or has missed the write."""
    if view.stage.number == 9:
        where = _look(view, "watch 3, the data", "watch the data here")
        return f"{node} lacks {shown(view.key, 12)}. Read nothing, and {where}: it is mended."
    where = _look(view, "3 shows", "here is shown")
    return f"{node} lacks {shown(view.key, 12)}. Press g: a read mends it; {where} who holds what."


def _found_out(view: View, dead: NodeId) -> bool:
    """Whether every node that is up takes it for failed."""
    observers = [node for node in view.nodes if node.state == "up"]
    return all(node.beliefs.get(dead) == "failed" for node in observers)


def _when_well(view: View) -> str:
    if view.stage.mirrored:
        return "Press w to write; then p to cut the network, and w again: at once, and later."
    if not view.stage.ring:
        return "Press w to write more; then k and 1 to kill the node, and see what is left."
    homes = [node for node in view.homes if node in view.in_state("up")]
    if not homes:
        return "Press w to write."
    key, last = shown(view.key, 12), homes[-1]
    empty = [held.node for held in view.holdings if held.place and held.told and held.nothing]
    if view.stage.versioned and 0 < len(empty) < len(homes):
        return _with_one_empty(view, empty[0])
    match view.stage.number:
        case 4 if 0 < len(empty) < len(homes):
            return f"{empty[0]} lacks {key}, and no read mends it. Press w: all of them get it."
        case 4 if view.links:
            return "Press w: the slowest replica is waited for. h makes the network fast again."
        case 3 if sum(node.keys for node in view.nodes) < MANY_KEYS:
            return "Type :load 200/s for 3s reads=0% for more keys; then press a to add a node."
        case 3 if len(view.nodes) < NODES_MAX:
            nodes = len(view.nodes)
            return f"Press a to add a node: about one key in {nodes + 1} moves. To kill one loses its keys."
        case 5 if view.links:
            return "Press w: who is slow is not waited for. h makes the network fast again."
        case 5:
            return f"Press s and {last[1:]} to slow {last}, a replica of {key}; then w and g."
        case 6:
            via = "" if view.op is None else view.op.via
            other = next((node for node in view.in_state("up") if node != via), last)
            look = _look(view, "then press 3", "look here")
            return f"Type :put {key} jam via {other} blind, as one who has read nothing; {look}."
        case 7:
            return f"Press k and {last[1:]} to kill {last}; then only watch who finds out, and when."
        case 8:
            return f"Press k and {last[1:]} to kill {last}, a replica of {key}; then w: who keeps a hint?"
        case 9:
            killed, look = last[1:], _look(view, "press 3", "look here")
            return f"Press k and {killed}, then r and {killed}: it is back, empty. Read nothing; {look}."
        case _:
            return f"Press k and {last[1:]} to kill {last}, a replica of {key}; then g to read it."
