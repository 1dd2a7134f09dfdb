"""Rehearsal: go through a script without doing anything, and object to what cannot make sense.

The whole language is understood at every stage, for ever. What a stage cannot serve, and nodes that cannot
exist at that point of the file, are refused here, before anything is started, in the parser's own form.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kvlab import errors, messages, stages
from kvlab.config import ClusterConfig
from kvlab.errors import KvlabError, NoSuchNode, NotInThisStage, UserError
from kvlab.script import parse
from kvlab.script.commands import (
    CONFIG_FIELDS,
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
    Kill,
    Lose,
    LoseMessage,
    Partition,
    Pause,
    Put,
    Remove,
    Restart,
    Resume,
    Rot,
    Skew,
    Slow,
    WaitUntil,
)
from kvlab.script.conditions import (
    Condition,
    GetIs,
    HeldIs,
    HintsAre,
    Home,
    KeysAre,
    NodeName,
    NodeRef,
    Outside,
    OverwrittenAre,
    RepairsAre,
    ReplicasAre,
    ResultIs,
    Sees,
    SiblingsAre,
)
from kvlab.script.parse import Problem, Scenario, ScriptError
from kvlab.trace.recording import RECORDING_BEGINS

# Which stage an error belongs to.
_LATER_ERRORS = {"WritesLocked": 2, "QuorumNotReached": 5}


def read_scenario(path: Path) -> Scenario:
    """Read a file, understand and rehearse it. Raises ScriptError with every problem of either kind."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; expected a .scenario file") from None
    if other := _what_else(data):
        raise UserError(
            f"{path} is {other}, and not a scenario: that is a text of one command a line, and begins with "
            "one such as `cluster stage=4`"
        )
    return understood(data, str(path))


def _what_else(data: bytes) -> str:
    """What a file is that nobody can have meant as a scenario; "" for one that somebody may."""
    if data.startswith(RECORDING_BEGINS):
        return "a recording of a run (every event, one JSON object a line)"
    return "no text" if b"\0" in data else ""


def understood(source: str | bytes, name: str = "script") -> Scenario:
    """Understand and rehearse a text. Raises ScriptError with every problem of either kind."""
    scenario, problems = parse.survey(source, name)
    if scenario.lines and isinstance(scenario.lines[0].command, Cluster):
        problems += objections(scenario)
    if problems:
        raise ScriptError(name, problems)
    return scenario


def objections(scenario: Scenario) -> list[Problem]:
    """Every line that makes no sense at its stage, or at its place in the file."""
    problems = []
    rehearsal: Rehearsal | None = None
    for line in scenario.lines:
        try:
            if isinstance(line.command, Cluster):
                rehearsal = Rehearsal.of(line.command)
            elif rehearsal is not None:
                rehearsal.consider(line.command)
        except UserError as error:
            problems.append(Problem(line.number, line.text, 0, len(line.text), str(error)))
    return problems


class Rehearsal:
    """What is known, before the event, of the cluster that a script speaks to.

    `perhaps` are the nodes that may exist at this point, `surely` those that must: an `add` may fail, and
    nobody knows beforehand which node `remove cart:42#1` means.
    """

    def __init__(self, config: ClusterConfig, nodes: Iterable[str]) -> None:
        """`config` is a checked one."""
        self.config = config
        self.stage = stages.find(config.stage)
        self.perhaps = list(nodes)
        self.surely = set(self.perhaps)

    @classmethod
    def of(cls, cluster: Cluster) -> Rehearsal:
        """Begin with this command. Raises UserError if such a cluster cannot be."""
        stage = stages.find(cluster.stage)
        given = {
            field: f"{name}=" for name, field in CONFIG_FIELDS.items() if getattr(cluster, name) is not None
        }
        stages.require_settings(stage, given)
        config = stages.checked(cluster.config())
        for name, asked, got in (("nodes", cluster.nodes, config.nodes), ("n", cluster.n, config.n)):
            if asked not in (None, got):
                raise UserError(f"{stage.title}, has {name}={got}, always; leave {name}={asked} out")
        if not stage.replicated and (cluster.r or cluster.w):
            raise NotInThisStage(f"{stage.title}, keeps one copy of a key: r and w come with stage 4")
        return cls(config, (member.node for member in config.members()))

    def consider(self, command: Command) -> None:
        """Raises UserError if this command cannot make sense now; otherwise take it as done."""
        for node in nodes_of(command):
            self._may_exist(node)
        match command:
            case Cluster():
                raise UserError("a cluster is running; `cluster` stands first in a file, once")
            case Put():
                self._put(command)
            case Get(r=int(r)):
                self._replicas_asked("r", r)
            case Partition():
                self._partition(command)
            case Check(claim="all-siblings"):
                self._since(6, "siblings")
            case At(command=later):
                self.consider(later)
            case Slow() | Lose() | LoseMessage() | Duplicate() | DecideMessage() if self.stage.nodes_max == 1:
                raise NotInThisStage(f"{self.stage.title}, is one node: there is no network between nodes")
            case LoseMessage(message=message):
                self._message(message)
            case Add():
                self._add(command)
            case Remove():
                self._remove(command)
            case Expect(condition) | WaitUntil(condition):
                self._condition(condition)
            case _:
                pass

    def _may_exist(self, node: NodeRef) -> None:
        match node:
            case NodeName(name):
                if name not in self.perhaps:
                    raise NoSuchNode(name, self.perhaps)
            case Home(place=place):
                if place > self.config.n:
                    raise UserError(
                        f"{node}: a key has {self.config.n} home replica{'s'[: self.config.n > 1]} here, "
                        f"so that #{self.config.n} is the last"
                    )
            case Outside():
                if len(self.perhaps) <= self.config.n:
                    raise UserError(
                        f"{node}: each of the {len(self.perhaps)} nodes is a replica of every key"
                    )

    def _put(self, put: Put) -> None:
        if put.blind:
            self._since(6, "contexts, so that every put is blind")
        if put.w is not None:
            self._replicas_asked("w", put.w)

    def _replicas_asked(self, name: str, number: int) -> None:
        """Whether `r` or `w` can be this number."""
        if not self.stage.replicated:
            if number != 1:
                raise NotInThisStage(
                    f"{self.stage.title}, keeps one copy of a key; {name}={number} needs more"
                )
            return
        stages.checked(msgspec.structs.replace(self.config, **{name: number}))

    def _partition(self, partition: Partition) -> None:
        everyone = [node for group in partition.groups for node in group]
        names = {node.name for node in everyone if isinstance(node, NodeName)}
        if len(names) == len(everyone) and (left_out := self.surely - names):
            missing = ", ".join(name for name in self.perhaps if name in left_out)
            raise UserError(f"a partition names every node; {missing} stands in no group")

    def _message(self, name: str) -> None:
        """Whether single messages can be spoken of, and whether there is one of this type."""
        if self.config.chance != "named":
            raise UserError("messages have names only in `cluster ... chance=named`, in the simulator")
        if name not in (known := messages.kinds()):
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise UserError(f"there is no message {name}; {meant}")

    def _add(self, add: Add) -> None:
        self.stage.require_ring_changes("add a node")
        assert isinstance(add.node, NodeName)  # the parser's promise
        name = add.node.name
        if name in self.surely:
            raise UserError(f"{name} is there already")
        if name not in self.perhaps:
            self.perhaps.append(name)

    def _remove(self, remove: Remove) -> None:
        self.stage.require_ring_changes("remove a node")
        if isinstance(remove.node, NodeName):
            self.surely.discard(remove.node.name)
        else:
            self.surely.clear()

    def _condition(self, condition: Condition) -> None:
        match condition:
            case GetIs(values=values) | HeldIs(values=values) if len(values) > 1:
                self._since(6, "siblings: a key has one value at most")
            case SiblingsAre():
                self._since(6, "siblings")
            case RepairsAre():
                self._since(5, "repairs")
            case HintsAre():
                self._since(8, "hints")
            case Sees() if not self.stage.watches:
                self._since(7, "gossip: no node knows which others are alive")
            case OverwrittenAre() if not self.stage.mirrored:
                raise NotInThisStage(f"{self.stage.title}, does not say what was overwritten; stage 2 does")
            case ResultIs(what=what):
                self._result(what)
            case _:
                pass

    def _result(self, what: str) -> None:
        if what in ("ok", "failed", "unknown"):
            return
        if since := _LATER_ERRORS.get(what):
            if self.stage.number < since:
                self._since(since, f"{what}")
            return
        known = [name for name, kind in vars(errors).items() if _is_ours(kind)]
        if what not in known:
            raise UserError(f"there is no error {what}; the errors are {', '.join(known)}")

    def _since(self, number: int, what: str) -> None:
        if self.stage.number < number:
            raise NotInThisStage(f"stage {self.stage.number} has no {what}; stage {number} adds that")


def _is_ours(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, KvlabError)


def nodes_of(command: Command) -> Iterator[NodeRef]:
    """The nodes that a command speaks of, as nodes that are there: `add n6` does not yet."""
    match command:
        case Put(via=via) | Get(via=via) | Delete(via=via):
            named: tuple[NodeRef | None, ...] = (via,)
        case (
            Kill(node=node)
            | Restart(node=node)
            | Pause(node=node)
            | Resume(node=node)
            | Skew(node=node)
            | Rot(node=node)
            | Remove(node=node)
        ):
            named = (node,)
        case At(command=later):
            return nodes_of(later)
        case LoseMessage(sender=sender, receiver=receiver):
            named = (sender, receiver)
        case Slow(node=node, other=other) | Lose(node=node, other=other) | Duplicate(node=node, other=other):
            named = (node, other)
        case Partition(groups=groups):
            named = tuple(node for group in groups for node in group)
        case Expect(condition=condition) | WaitUntil(condition=condition):
            named = _nodes_of_condition(condition)
        case _:
            named = ()
    return (node for node in named if node is not None)


def _nodes_of_condition(condition: Condition) -> tuple[NodeRef | None, ...]:
    match condition:
        case GetIs(via=via):
            return (via,)
        case HeldIs(node=node) | HintsAre(node=node) | KeysAre(node=node) | RepairsAre(node=node):
            return (node,)
        case Sees(node=node, other=other):
            return (node, other)
        case ReplicasAre(nodes=nodes):
            return nodes
        case _:
            return ()
