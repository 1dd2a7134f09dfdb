"""The grammar: which words make which command, and which condition.

One function a command, in the order of the table of usages; all of them raise Misread.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import msgspec

from kvlab.script.commands import (
    CLAIMS,
    CONFIG_FIELDS,
    DURATIONS,
    SWITCHES,
    USAGE,
    Add,
    At,
    Check,
    Cluster,
    Command,
    DecideMessage,
    Delete,
    Duplicate,
    Expect,
    Get,
    Heal,
    Kill,
    Load,
    Lose,
    LoseMessage,
    Partition,
    Pause,
    Predict,
    Put,
    Remove,
    Restart,
    Resume,
    Rot,
    Say,
    Skew,
    Slow,
    StopLoad,
    Wait,
    WaitUntil,
)
from kvlab.script.conditions import (
    BELIEFS,
    CONDITION_USAGE,
    Condition,
    GetIs,
    HeldIs,
    HintsAre,
    KeysAre,
    NodeName,
    NodeRef,
    OverwrittenAre,
    RepairsAre,
    ReplicasAre,
    ResultIs,
    Sees,
    SiblingsAre,
)
from kvlab.script.reader import Reader, shortened
from kvlab.script.words import OPERATORS, Word
from kvlab.world.faults import Fate

_RATE = re.compile(r"([0-9]{1,6})/s")
_ZONE = re.compile(r"[A-Za-z0-9]{1,20}")
_MESSAGE = re.compile(r"n[0-9]+\.[0-9]+\.[0-9]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_ERROR_NAME = re.compile(r"[A-Z][A-Za-z]{0,40}")

# What a person who knows other tools writes first.
_ALSO_CALLED = {
    "delete": "del",
    "rm": "del",
    "set": "put",
    "write": "put",
    "read": "get",
    "crash": "kill",
    "stop": "kill",
    "start": "restart",
    "sleep": "wait",
    "assert": "expect",
    "cut": "partition",
    "delay": "slow",
    "drop": "lose",
    "corrupt": "rot",
    "join": "add",
    "leave": "remove",
    "echo": "say",
    "ask": "predict",
}


def command(line: str, words: Sequence[Word]) -> Command:
    """The command that these words are. Raises Misread."""
    return _command(Reader(line, words))


def _command(reader: Reader) -> Command:
    """The command that begins here and ends with the line."""
    first = reader.take("a command (" + ", ".join(USAGE) + ")")
    if first.text not in USAGE or first.quoted:
        nearest = _ALSO_CALLED.get(first.text.lower(), "") or first.text.lower()
        close = difflib.get_close_matches(nearest[:40], list(USAGE), n=1)
        if not close:
            known = ", ".join(USAGE)
            reader.fail(f"there is no command {shortened(first)}; the commands are {known}", first)
        reader.usage = USAGE[close[0]]
        reader.fail(f"there is no command {shortened(first)}; the nearest is `{close[0]}`", first)
    reader.usage = USAGE[first.text]
    read = _arguments(first.text, reader)
    reader.done()
    return read


def _arguments(name: str, r: Reader) -> Command:
    """The rest of the line, after the command's name."""
    match name:
        case "cluster":
            return _cluster(r)
        case "put":
            return _put(r)
        case "get":
            return _get(r)
        case "del":
            return _delete(r)
        case "kill":
            return Kill(r.node())
        case "restart":
            return Restart(r.node(), empty=r.option("empty") is not None)
        case "pause":
            return Pause(r.node())
        case "resume":
            return Resume(r.node())
        case "partition":
            return _partition(r)
        case "heal":
            return Heal()
        case "slow":
            return _slow(r)
        case "lose":
            return _lose(r)
        case "duplicate":
            return Duplicate(*_link(r), r.percent())
        case "rot":
            key = r.key()
            r.require("at")
            return Rot(key, r.node())
        case "message":
            return _message(r)
        case "skew":
            return _skew(r)
        case "add":
            return _add(r)
        case "remove":
            return Remove(r.node())
        case "wait":
            return _wait(r)
        case "expect":
            return Expect(_condition(r))
        case "check":
            return Check(r.choice(*CLAIMS))
        case "load":
            return _load(r)
        case "at":
            return _at(r)
        case "say":
            return _say(r)
        case "predict":
            question = r.text("a question in quotes")
            r.require("=")
            return Predict(question, r.text("an answer in quotes"))
        case _:
            raise AssertionError(f"{name} stands in USAGE and is not parsed")


def _resolution(r: Reader) -> str:
    """One of those that there are, or one's own function."""
    word = r.peek()
    if word is not None and ":" in word.text:
        return r.text("module:function")
    return r.choice("siblings", "newest", "union", "module:function")


def _cluster(r: Reader) -> Cluster:
    numbers: dict[str, int] = {}
    words: dict[str, str] = {}
    switches: dict[str, bool] = {}
    while name := r.option("stage=", *[f"{name}=" for name in CONFIG_FIELDS]):
        name = name[:-1]
        match name:
            case "choice":
                words[name] = r.choice("cp", "ap", "ca")
            case "resolve":
                words[name] = _resolution(r)
            case "preset":
                words[name] = r.choice("strong", "weak", "eventual")
            case "detector":
                words[name] = r.choice("heartbeat", "phi")
            case "chance":
                words[name] = r.choice("stream", "named")
            case "memory":
                numbers[name] = r.size()
            case "seed":
                numbers[name] = r.number()
            case _ if name in DURATIONS:
                numbers[name] = r.duration()
            case _ if name in SWITCHES:
                switches[name] = r.choice("on", "off") == "on"
            case _:
                numbers[name] = r.number(1)
    if "stage" not in numbers:
        r.fail("expected stage=N: which of the nine stages is to run?")
    return msgspec.convert({**numbers, **words, **switches}, Cluster)


def _put(r: Reader) -> Put:
    key, value = r.key(), r.value()
    via, called, w, ttl, blind = None, None, None, None, False
    while name := r.option("via", "as", "w=", "ttl=", "blind"):
        match name:
            case "via":
                via = r.node()
            case "as":
                called = _name(r)
            case "w=":
                w = r.number(1)
            case "ttl=":
                ttl = r.duration()
            case _:
                blind = True
    return Put(key, value, via, w, ttl, blind, called)


def _get(r: Reader) -> Get:
    key = r.key()
    via, called, replies = None, None, None
    while name := r.option("via", "as", "r="):
        match name:
            case "via":
                via = r.node()
            case "as":
                called = _name(r)
            case _:
                replies = r.number(1)
    return Get(key, via, replies, called)


def _delete(r: Reader) -> Delete:
    key = r.key()
    via, called = None, None
    while name := r.option("via", "as"):
        if name == "via":
            via = r.node()
        else:
            called = _name(r)
    return Delete(key, via, called)


def _name(r: Reader) -> str:
    """What an operation is called by."""
    word = r.take("a name for this operation")
    if not _NAME.fullmatch(word.text):
        r.wrong("a short name of letters and digits, such as w1", word)
    return word.text


def _partition(r: Reader) -> Partition:
    groups: list[tuple[NodeRef, ...]] = []
    group: list[NodeRef] = []
    while word := r.peek():
        if word.is_bare("|"):
            if not group:
                r.fail("expected a node before `|`", word)
            groups.append(tuple(group))
            group = []
            r.at += 1
        elif not word.quoted and "|" in word.text:
            r.fail("expected spaces around `|`", word)
        else:
            node = r.node()
            if any(node in other for other in (*groups, group)):
                r.fail(f"{node} stands here twice; a node is on one side of a cut", word)
            group.append(node)
    if not group or not groups:
        r.fail("expected two groups of nodes or more, with `|` between them")
    return Partition((*groups, tuple(group)))


def _link(r: Reader) -> tuple[NodeRef, NodeRef | None]:
    """One node, or two that differ; a duration or percentage follows, which is no node."""
    node = r.node()
    word = r.peek()
    if word is None or (word.text[:1].isdigit() and "#" not in word.text):
        return node, None
    other = r.node()
    if other == node:
        r.fail(f"{node} has no link to itself; name two nodes", word)
    return node, other


def _lose(r: Reader) -> Lose | LoseMessage:
    """A share of all messages on a link, or those of one name; `of` tells which."""
    if not (len(r.words) > r.at + 1 and r.words[r.at + 1].is_bare("of")):
        return Lose(*_link(r), r.percent())
    word = r.take("a type of message, such as Keep")
    if not _ERROR_NAME.fullmatch(word.text):
        r.wrong("a type of message, such as Keep", word)
    r.require("of")
    operation = _name(r)
    r.require("from")
    sender = r.node()
    r.require("to")
    return LoseMessage(word.text, operation, sender, r.node())


def _message(r: Reader) -> DecideMessage:
    expected = "a message as its events call it, such as n1.0.7"
    word = r.take(expected)
    if not _MESSAGE.fullmatch(word.text):
        r.wrong(expected, word)
    fates: dict[str, Fate] = {"now": "now", "lost": "lost", "twice": "twice"}
    return DecideMessage(word.text, fates[r.choice(*fates)])


def _at(r: Reader) -> At:
    ms = r.duration(0)
    word = r.peek()
    if word and word.is_bare("at", "cluster", "wait"):
        r.fail(f"`{word.text}` has no place in a timeline", word)
    r.seen.clear()
    return At(ms, _command(r))


def _slow(r: Reader) -> Slow:
    node, other = _link(r)
    word = r.take("a delay, such as 80ms or 80ms+-20ms")
    delay, sign, jitter = word.text.replace("\u00b1", "+-").partition("+-")
    return Slow(node, other, r.milliseconds(delay, word, 0), r.milliseconds(jitter, word, 0) if sign else 0)


def _skew(r: Reader) -> Skew:
    node = r.node()
    word = r.take("how wrong the clock is, such as +5s or -200ms")
    sign = -1 if word.text.startswith("-") else 1
    return Skew(node, sign * r.milliseconds(word.text.removeprefix("-").removeprefix("+"), word, 0))


def _add(r: Reader) -> Add:
    node = r.node()
    if not isinstance(node, NodeName):
        r.fail("a new node needs a name of its own, such as n6", r.words[r.at - 1])
    zone, weight = None, None
    while name := r.option("zone=", "weight="):
        if name == "zone=":
            word = r.take("a zone")
            if not _ZONE.fullmatch(word.text):
                r.wrong("a zone: a short word of letters and digits, such as z1", word)
            zone = word.text
        else:
            weight = r.number(1, 16)
    return Add(node, zone, weight)


def _wait(r: Reader) -> Wait | WaitUntil:
    if not r.accept("until"):
        word = r.peek()
        if word and not word.text[:1].isdigit():
            r.wrong("a duration such as 2s, or `until`", word)
        return Wait(r.duration())
    condition = _condition(r)
    return WaitUntil(condition, r.duration() if r.option("within") else None)


def _load(r: Reader) -> Load | StopLoad:
    word = r.take("a rate, such as 200/s, or stop")
    if word.is_bare("stop"):
        return StopLoad()
    match = _RATE.fullmatch(word.text)
    if match is None or not 1 <= int(match[1]) <= 10_000:
        r.wrong("a rate from 1/s to 10000/s, such as 200/s", word)
    r.require("for")
    ms = r.duration()
    reads, keys, zipf = None, None, False
    while name := r.option("reads=", "keys=", "zipf"):
        match name:
            case "reads=":
                reads = r.percent()
            case "keys=":
                keys = r.number(1, 1_000_000)
            case _:
                zipf = True
    return Load(int(match[1]), ms, reads, keys, zipf)


def _say(r: Reader) -> Say:
    text = r.text("a text in quotes")
    if word := r.peek():
        r.fail("expected the end of the line; a text of several words stands in quotes", word)
    return Say(text)


# -- conditions ----------------------------------------------------------------------------------


def _condition(r: Reader) -> Condition:
    """A condition, up to the end of the line or `within`."""
    outer = r.usage
    first = r.take("a condition, such as: get cart:42 = milk")
    if not first.quoted and first.text in (
        "get",
        "siblings",
        "replicas",
        "hints",
        "repairs",
        "keys",
        "overwritten",
        "result",
    ):
        r.usage = CONDITION_USAGE[first.text]
        condition = _known_condition(first.text, r)
    else:
        condition = _about_a_node(first, r)
    r.usage = outer
    return condition


def _known_condition(name: str, r: Reader) -> Condition:
    """What follows the first word of a condition that has a name."""
    match name:
        case "get":
            key = r.key()
            via = r.node() if r.accept("via") else None
            return GetIs(key, r.operator("=", "!="), r.values(), via)
        case "siblings":
            return SiblingsAre(r.key(), r.operator(*OPERATORS), r.number())
        case "replicas":
            key, operator = r.key(), r.operator("=", "!=")
            nodes = [r.node()]
            while (word := r.peek()) and not word.is_bare("within"):
                nodes.append(r.node())
            return ReplicasAre(key, operator, tuple(nodes))
        case "hints":
            node = None if r.accept("total") else r.node()
            return HintsAre(node, r.operator(*OPERATORS), r.number())
        case "keys":
            r.require("at")
            return KeysAre(r.node(), r.operator(*OPERATORS), r.number())
        case "repairs":
            node = None if r.accept("total") else r.node()
            return RepairsAre(node, r.operator(*OPERATORS), r.number())
        case "overwritten":
            return OverwrittenAre(r.key(), r.operator("=", "!="), r.values())
        case _:
            operator = r.operator("=", "!=")
            word = r.take("ok, failed, unknown, or the name of an error")
            if word.text not in ("ok", "failed", "unknown") and not _ERROR_NAME.fullmatch(word.text):
                r.wrong("ok, failed, unknown, or the name of an error such as NodeDown", word)
            return ResultIs(operator, word.text)


def _about_a_node(first: Word, r: Reader) -> Condition:
    """`KEY at NODE = ...` or `NODE sees NODE = ...`: the second word tells which."""
    second = r.peek()
    if second and second.is_bare("sees"):
        r.usage = CONDITION_USAGE["sees"]
        r.at -= 1
        node = r.node()
        r.require("sees")
        return Sees(node, r.node(), r.operator("=", "!="), r.choice(*BELIEFS))
    if second and second.is_bare("at"):
        r.usage = CONDITION_USAGE["at"]
        r.at -= 1
        key = r.key()
        r.require("at")
        return HeldIs(key, r.node(), r.operator("=", "!="), r.values())
    close = "" if first.quoted else _close_condition(first.text)
    r.usage = CONDITION_USAGE[close] if close else "; ".join(CONDITION_USAGE.values())
    if not first.quoted and any(operator in first.text for operator in OPERATORS):
        r.fail("expected spaces around the comparison", first)
    r.fail(f"expected a condition, and {shortened(first)} begins none", first)


def _close_condition(word: str) -> str:
    """The condition that this word was perhaps meant to begin; "" if none."""
    names = [name for name in CONDITION_USAGE if name not in ("at", "sees")]
    return next(iter(difflib.get_close_matches(word[:40], names, n=1)), "")
