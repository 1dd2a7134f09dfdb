"""What `:help` says: every command with its usage, or one of them explained.

Texts for a person at the lab's command line. The usages are those that a mistake is answered with
(script/commands.py, script/conditions.py).
"""

from __future__ import annotations

import msgspec

from kvlab.script.commands import USAGE
from kvlab.script.conditions import CONDITION_USAGE
from kvlab.script.parse import parse_line

NODE = (
    "NODE is a name such as n1; or a key's place: cart:42#1 is the first node that holds a copy of cart:42, "
    "cart:42#out one that holds none."
)

EXPLAINED = {
    "cluster": "Says what runs. It is the first line of a file; here, in the lab, a cluster runs already.",
    "put": "Writes a value, through NODE or else the first node that is up. w is how many replicas must "
    "confirm it, ttl how long it lives; blind forgets what was read before.",
    "get": "Reads a key, through NODE or else the first node that is up. r is how many replicas must answer.",
    "del": "Deletes a key.",
    "kill": "Ends a node's process at once (SIGKILL). What it had only in memory is gone.",
    "restart": "Starts a killed node again, under its own name and port; empty also wipes its disk.",
    "pause": "Stops a node where it stands (SIGSTOP). To its peers that is silence.",
    "resume": "Lets a paused node go on.",
    "partition": "Cuts the network: only nodes of one group hear each other. Every node stands in one group.",
    "heal": "Mends the network: no cut, no delay, no loss, nothing twice.",
    "slow": "Delays all that a node sends and receives, or what two nodes send each other; 0ms ends it.",
    "lose": "Loses a share of the messages of a node, or between two nodes; 0% ends it.",
    "duplicate": "Delivers a share of the messages twice; 0% ends it.",
    "message": "Lets one message that is under way in the simulator arrive now, never (lost) or twice. "
    "The messages tab of the lab names them.",
    "skew": "Sets a node's clock wrong: +5s is fast, -5s is slow, +0ms sets it right.",
    "rot": "Lets the value that a node holds decay, as on a bad disk: a bit is another, and nobody is told.",
    "add": "Starts a new node, which joins the ring and takes its share of the keys; weight=2: twice that.",
    "remove": "Lets a node hand over its keys and leave; one that is down is struck off the ring.",
    "wait": "Lets time pass, or waits until something holds, 5s at most if not said otherwise.",
    "expect": "Says whether something holds at this moment, and what was found instead if it does not.",
    "check": "Judges the replicas as they are, or all that was done by lines so far.",
    "load": "Does many operations a second, whether or not those before have been answered; stop ends it. "
    "A write replaces what was last seen of the key.",
    "at": "Does a command so much later.",
    "say": "Tells the audience.",
    "predict": "Asks the audience, and then tells.",
}
"""What each command does."""


class Page(msgspec.Struct, frozen=True):
    """Something to be read: a title and paragraphs. Where they are `short`, two may stand side by side."""

    title: str
    paragraphs: tuple[str, ...]
    short: bool = False


def help_on(topic: str) -> Page:
    """The page on a command; on all of them if the topic is "". Raises ScriptError, with the nearest one."""
    if not topic:
        return Page("LINES YOU CAN TYPE   [may be left out]   :help put says more", _typed(), short=True)
    if topic not in USAGE:
        parse_line(topic)  # raises: no command has that name
    paragraphs = [_breakable(USAGE[topic]), EXPLAINED[topic]]
    conditions = "CONDITION" in USAGE[topic]
    if conditions:
        paragraphs.append("CONDITION is one of these; instead of = there may be != < <= > >=")
        paragraphs += CONDITION_USAGE.values()
    if "NODE" in " ".join(paragraphs):
        paragraphs.append(NODE)
    return Page(f"HELP ON {topic}", tuple(paragraphs), short=conditions)


def _typed() -> tuple[str, ...]:
    return tuple(_breakable(usage) for name, usage in USAGE.items() if name != "cluster")


def _breakable(usage: str) -> str:
    """A long choice of words, with places where a row may end."""
    return usage.replace("|", " | ") if max(map(len, usage.split())) > 40 else usage
