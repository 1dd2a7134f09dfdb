"""The commands of the scenario language: one frozen struct each, that prints itself as its canonical line.

Pure values: script/parse.py makes them of text, script/rehearsal.py says whether they make sense, and
script/session.py does them. Times are whole milliseconds.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kvlab.config import ClusterConfig
from kvlab.messages import Key
from kvlab.script.conditions import Condition, NodeRef
from kvlab.script.words import in_quotes, quoted
from kvlab.world.faults import Fate


def duration(ms: int) -> str:
    """Milliseconds as a script writes them: 1m, 2s, 80ms."""
    for unit, length in (("m", 60_000), ("s", 1000)):
        if ms and ms % length == 0:
            return f"{ms // length}{unit}"
    return f"{ms}ms"


def _via(node: NodeRef | None) -> str:
    return f" via {node}" if node is not None else ""


def _as(name: str | None) -> str:
    return f" as {name}" if name is not None else ""


def _option(name: str, value: object) -> str:
    return f" {name}={value}" if value is not None else ""


def _second(node: NodeRef | None) -> str:
    return f" {node}" if node is not None else ""


CONFIG_FIELDS = {
    **{name: name for name in ("nodes", "n", "r", "w", "seed", "choice", "resolve", "zones", "hints")},
    **{name: name for name in ("antientropy", "vnodes", "durable", "preset", "prune", "detector", "fanout")},
    "chance": "chance",
    "memory": "memory_bytes",
    "timeout": "timeout_ms",
    "repair": "read_repair",
    "writeback": "read_write_back",
    "gossip": "gossip_ms",
    "suspect": "suspect_ms",
    "fail": "fail_ms",
    "hintttl": "hint_ttl_ms",
    "exchange": "antientropy_ms",
    "grace": "grace_ms",
}
"""What the options of `cluster` are called in ClusterConfig."""

DURATIONS = ("timeout", "gossip", "suspect", "fail", "hintttl", "exchange", "grace")
SWITCHES = ("hints", "antientropy", "durable", "repair", "writeback")


def _setting(name: str, value: object) -> object:
    """As it is written: 80ms, on."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return duration(value) if name in DURATIONS and isinstance(value, int) else value


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """What runs; the first command of every file. None: the default of ClusterConfig."""

    stage: int
    nodes: int | None = None
    n: int | None = None
    r: int | None = None
    w: int | None = None
    seed: int | None = None
    choice: str | None = None
    resolve: str | None = None
    zones: int | None = None
    hints: bool | None = None
    antientropy: bool | None = None
    vnodes: int | None = None
    memory: int | None = None
    """bytes"""
    timeout: int | None = None
    """ms"""
    durable: bool | None = None
    preset: str | None = None
    repair: bool | None = None
    writeback: bool | None = None
    prune: int | None = None
    detector: str | None = None
    fanout: int | None = None
    gossip: int | None = None
    """ms"""
    suspect: int | None = None
    """ms"""
    fail: int | None = None
    """ms"""
    hintttl: int | None = None
    """ms"""
    exchange: int | None = None
    """ms"""
    grace: int | None = None
    """ms"""
    chance: str | None = None

    def __str__(self) -> str:
        options = msgspec.structs.asdict(self)
        return "cluster" + "".join(_option(name, _setting(name, value)) for name, value in options.items())

    @classmethod
    def of(cls, config: ClusterConfig) -> Cluster:
        """The command that asks for this configuration: what it leaves out is the default."""
        default = ClusterConfig(stage=config.stage)
        fields = CONFIG_FIELDS
        values = {name: getattr(config, field) for name, field in fields.items()}
        fixed = {1: ("nodes", "n"), 2: ("n",), 3: ("n",)}.get(config.stage, ())
        return cls(
            stage=config.stage,
            **{
                name: value
                for name, value in values.items()
                if value != getattr(default, fields[name]) and name not in fixed
            },
        )

    def config(self, seed: int | None = None) -> ClusterConfig:
        """The configuration that is asked for, unchecked; `seed` overrides the script's own."""
        given = {field: getattr(self, name) for name, field in CONFIG_FIELDS.items()}
        if seed is not None:
            given["seed"] = seed
        known = {name: value for name, value in given.items() if value is not None}
        return ClusterConfig(stage=self.stage, **known)


class Put(msgspec.Struct, frozen=True):
    """Write a value. `ttl`, in ms, is how long it lives. `name`: what its messages are called by."""

    key: Key
    value: bytes
    via: NodeRef | None = None
    w: int | None = None
    ttl: int | None = None
    blind: bool = False
    name: str | None = None

    def __str__(self) -> str:
        options = _via(self.via) + _as(self.name) + _option("w", self.w)
        options += f" ttl={duration(self.ttl)}" if self.ttl is not None else ""
        options += " blind" if self.blind else ""
        return f"put {quoted(self.key)} {quoted(self.value)}{options}"


class Get(msgspec.Struct, frozen=True):
    """Read a key."""

    key: Key
    via: NodeRef | None = None
    r: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        return f"get {quoted(self.key)}{_via(self.via)}{_as(self.name)}{_option('r', self.r)}"


class Delete(msgspec.Struct, frozen=True):
    """Delete a key."""

    key: Key
    via: NodeRef | None = None
    name: str | None = None

    def __str__(self) -> str:
        return f"del {quoted(self.key)}{_via(self.via)}{_as(self.name)}"


class Kill(msgspec.Struct, frozen=True):
    """End a node's process at once."""

    node: NodeRef

    def __str__(self) -> str:
        return f"kill {self.node}"


class Restart(msgspec.Struct, frozen=True):
    """Start a killed node again; `empty` wipes its disk first."""

    node: NodeRef
    empty: bool = False

    def __str__(self) -> str:
        return f"restart {self.node}{' empty' if self.empty else ''}"


class Pause(msgspec.Struct, frozen=True):
    """Stop a node where it stands."""

    node: NodeRef

    def __str__(self) -> str:
        return f"pause {self.node}"


class Resume(msgspec.Struct, frozen=True):
    """Let a paused node go on."""

    node: NodeRef

    def __str__(self) -> str:
        return f"resume {self.node}"


class Partition(msgspec.Struct, frozen=True):
    """Cut the network into groups of nodes that hear only each other."""

    groups: tuple[tuple[NodeRef, ...], ...]

    def __str__(self) -> str:
        return "partition " + " | ".join(" ".join(map(str, group)) for group in self.groups)


class Heal(msgspec.Struct, frozen=True):
    """Mend the network: partition, delay, loss and duplication are gone."""

    def __str__(self) -> str:
        return "heal"


class Slow(msgspec.Struct, frozen=True):
    """Delay messages between two nodes, or all of one node's."""

    node: NodeRef
    other: NodeRef | None
    delay: int
    jitter: int = 0

    def __str__(self) -> str:
        jitter = f"+-{duration(self.jitter)}" if self.jitter else ""
        return f"slow {self.node}{_second(self.other)} {duration(self.delay)}{jitter}"


class Lose(msgspec.Struct, frozen=True):
    """Lose a share of the messages between two nodes, or of all of one node's."""

    node: NodeRef
    other: NodeRef | None
    percent: float

    def __str__(self) -> str:
        return f"lose {self.node}{_second(self.other)} {self.percent:g}%"


class LoseMessage(msgspec.Struct, frozen=True):
    """Lose what one node sends another, of this type, for the sake of one operation (`put ... as NAME`)."""

    message: str
    operation: str
    sender: NodeRef
    receiver: NodeRef

    def __str__(self) -> str:
        return f"lose {self.message} of {self.operation} from {self.sender} to {self.receiver}"


class Duplicate(msgspec.Struct, frozen=True):
    """Deliver a share of the messages twice."""

    node: NodeRef
    other: NodeRef | None
    percent: float

    def __str__(self) -> str:
        return f"duplicate {self.node}{_second(self.other)} {self.percent:g}%"


class DecideMessage(msgspec.Struct, frozen=True):
    """What becomes of one message under way, in the simulator: it arrives now, never, or twice."""

    message: str
    """As its events call it: sender, generation and count, such as n1.0.7."""
    fate: Fate

    def __str__(self) -> str:
        return f"message {self.message} {self.fate}"


class Skew(msgspec.Struct, frozen=True):
    """Set a node's clock wrong by so many ms; negative is slow."""

    node: NodeRef
    by: int

    def __str__(self) -> str:
        return f"skew {self.node} {'-' if self.by < 0 else '+'}{duration(abs(self.by))}"


class Rot(msgspec.Struct, frozen=True):
    """Let the value that a node holds decay: one bit is another, and nobody has written it."""

    key: Key
    node: NodeRef

    def __str__(self) -> str:
        return f"rot {quoted(self.key)} at {self.node}"


class Add(msgspec.Struct, frozen=True):
    """Start a new node and let it join."""

    node: NodeRef
    zone: str | None = None
    weight: int | None = None

    def __str__(self) -> str:
        return f"add {self.node}{_option('zone', self.zone)}{_option('weight', self.weight)}"


class Remove(msgspec.Struct, frozen=True):
    """Let a node hand over its keys and go."""

    node: NodeRef

    def __str__(self) -> str:
        return f"remove {self.node}"


class Wait(msgspec.Struct, frozen=True):
    """Let so many ms pass."""

    ms: int

    def __str__(self) -> str:
        return f"wait {duration(self.ms)}"


class WaitUntil(msgspec.Struct, frozen=True):
    """Wait until something holds; it fails when it does not within so many ms."""

    condition: Condition
    within: int | None = None

    def __str__(self) -> str:
        within = f" within {duration(self.within)}" if self.within is not None else ""
        return f"wait until {self.condition}{within}"


class Expect(msgspec.Struct, frozen=True):
    """It has to hold now."""

    condition: Condition

    def __str__(self) -> str:
        return f"expect {self.condition}"


class Check(msgspec.Struct, frozen=True):
    """Judge the replicas, or all that the script has done so far."""

    claim: str

    def __str__(self) -> str:
        return f"check {self.claim}"


class Load(msgspec.Struct, frozen=True):
    """Many operations a second, whether or not the ones before are answered."""

    rate: int
    ms: int
    reads: float | None = None
    keys: int | None = None
    zipf: bool = False

    def __str__(self) -> str:
        reads = f" reads={self.reads:g}%" if self.reads is not None else ""
        zipf = " zipf" if self.zipf else ""
        return f"load {self.rate}/s for {duration(self.ms)}{reads}{_option('keys', self.keys)}{zipf}"


class StopLoad(msgspec.Struct, frozen=True):
    """End every load that is under way: what was begun is still answered."""

    def __str__(self) -> str:
        return "load stop"


class Say(msgspec.Struct, frozen=True):
    """Tell the audience."""

    text: str

    def __str__(self) -> str:
        return f"say {in_quotes(self.text)}"


class Predict(msgspec.Struct, frozen=True):
    """Ask the audience, then tell."""

    question: str
    answer: str

    def __str__(self) -> str:
        return f"predict {in_quotes(self.question)} = {in_quotes(self.answer)}"


class At(msgspec.Struct, frozen=True):
    """Begin a command so many ms after it was spoken of, and do not wait for its end.

    In a file, lines of these that follow each other are one timeline: spoken of at once, and the line after
    them waits for them all. Nobody knows beforehand what will be the case by then, so that what makes no
    sense at its moment is left out.
    """

    ms: int
    command: Command

    def __str__(self) -> str:
        return f"at {duration(self.ms)} {self.command}"


Command: TypeAlias = (
    Cluster
    | Put
    | Get
    | Delete
    | Kill
    | Restart
    | Pause
    | Resume
    | Partition
    | Heal
    | Slow
    | Lose
    | LoseMessage
    | Duplicate
    | DecideMessage
    | Skew
    | Rot
    | Add
    | Remove
    | Wait
    | WaitUntil
    | Expect
    | Check
    | Load
    | StopLoad
    | At
    | Say
    | Predict
)

CLAIMS = (
    "convergence",
    "no-lost-writes",
    "no-resurrection",
    "all-siblings",
    "read-your-writes",
    "monotonic-reads",
    "linearizable",
    "failed-is-failed",
)

USAGE = {
    "cluster": "cluster stage=N [nodes=5] [n=3] [r=2] [w=2] [seed=S] [choice=cp|ap] "
    "[resolve=siblings|newest|union|module:function] [zones=2] [hints=on|off] [antientropy=on|off] "
    "[vnodes=16] [memory=64kb] [timeout=500ms] [durable=on|off] [preset=strong|weak|eventual] "
    "[repair=on|off] [writeback=on|off] [prune=10] [detector=heartbeat|phi] [fanout=2] [gossip=200ms] "
    "[suspect=1s] [fail=2s] [hintttl=1m] [exchange=1s] [grace=2m] [chance=named]",
    "put": "put KEY VALUE [via NODE] [as NAME] [w=W] [ttl=5s] [blind]",
    "get": "get KEY [via NODE] [as NAME] [r=R]",
    "del": "del KEY [via NODE] [as NAME]",
    "kill": "kill NODE",
    "restart": "restart NODE [empty]",
    "pause": "pause NODE",
    "resume": "resume NODE",
    "partition": "partition n1 n2 | n3 n4 n5",
    "heal": "heal",
    "slow": "slow NODE [NODE] 80ms[+-20ms]",
    "lose": "lose NODE [NODE] 10%, or lose MESSAGE of NAME from NODE to NODE",
    "duplicate": "duplicate NODE [NODE] 10%",
    "message": "message n1.0.7 now|lost|twice",
    "skew": "skew NODE +5s",
    "rot": "rot KEY at NODE",
    "add": "add NODE [zone=Z] [weight=2]",
    "remove": "remove NODE",
    "wait": "wait 2s, or wait until CONDITION [within 5s]",
    "expect": "expect CONDITION",
    "check": f"check {'|'.join(CLAIMS)}",
    "load": "load 200/s for 10s [reads=50%] [keys=100] [zipf], or load stop",
    "at": "at 120ms COMMAND",
    "say": 'say "text"',
    "predict": 'predict "question" = "answer"',
}
"""How each command is written."""
