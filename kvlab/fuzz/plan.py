"""Plan: what is done in one seed's run, drawn by chance from the seed alone.

A plan is made of operations and of faults, each with its moment on one timeline, so that any of them can be
left out and the others stay where they are (shrink.py). After the timeline everything is mended, some time
passes, and the claims that the stage makes under just these faults are checked (check/claims.py).

Invariant: no value is written twice. At most one node's memory is lost in a run: two replicas that forget at
the same time are more than any stage here claims to survive.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from kvlab import stages
from kvlab.check.claims import GUARANTEES, Fault, claims_of, held_to
from kvlab.config import ClusterConfig
from kvlab.messages import Key
from kvlab.script.commands import (
    Add,
    At,
    Check,
    Cluster,
    Command,
    Delete,
    Duplicate,
    Get,
    Heal,
    Kill,
    Lose,
    LoseMessage,
    Partition,
    Pause,
    Put,
    Remove,
    Restart,
    Resume,
    Skew,
    Slow,
    Wait,
)
from kvlab.script.conditions import NodeName
from kvlab.script.parse import Line, Scenario

SPAN_MS = 4000
"""How long clients work and things fail."""

SETTLE_MS = 3000
"""How long it takes afterwards until nothing is under way any more."""

SETTLE_GOSSIP_MS = 20_000
"""The same where nodes go on by themselves: until all know who is alive, hints are home and trees agree."""

CLIENTS = 3
OPERATIONS_MIN, OPERATIONS_MAX = 40, 100
PAUSES, AT_ONCE = 0.2, 0.6
"""The shares of operations before which nothing happens for a while, and of those that begin within a
message's time. The others follow within the time of a slow write. All but the first kind keep to one key, for
it is where operations overlap that things go wrong."""

FAULTS_MAX = 4
"""Kinds of faults in one run."""

ON_THE_NETWORK = (Fault.DELAY, Fault.LOSS, Fault.DUPLICATION, Fault.PARTITION)
FORGETTING = (Fault.AMNESIA, Fault.DEATH)

ALWAYS = "failed-is-failed"
"""It holds under all faults, so every run is held to it, and none is planned for it."""

ORDER = ("convergence", *(name for name in GUARANTEES if name != "convergence"))
"""In which claims are checked: first the one that a read could make true. The next one to read is
no-lost-writes, for a read mends what the read after it would have found."""


class Episode(msgspec.Struct, frozen=True):
    """One fault from its beginning to its end."""

    fault: Fault
    lines: tuple[At, ...]


class Plan(msgspec.Struct, frozen=True):
    """One run."""

    cluster: Cluster
    operations: tuple[At, ...]
    episodes: tuple[Episode, ...]
    settle_ms: int
    checks: tuple[str, ...]
    losses: tuple[LoseMessage, ...] = ()
    """Single messages that are lost; shrink.py finds them."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(dict.fromkeys(episode.fault for episode in self.episodes))

    def commands(self) -> list[Command]:
        """The whole scenario."""
        timeline = [*self.operations, *(line for episode in self.episodes for line in episode.lines)]
        timeline.sort(key=lambda at: at.ms)
        heal = [Heal()] if any(fault in ON_THE_NETWORK for fault in self.faults) else []
        checks = [Check(claim) for claim in self.checks]
        up = self._all_up()
        return [self.cluster, *self.losses, *timeline, *heal, *up, Wait(self.settle_ms), *checks]

    def _all_up(self) -> list[Command]:
        """Who should be back is: a node that somebody wanted to remove could not be restarted meanwhile, and
        if then it was not removed, it is still down. For one that is up this is left out."""
        if Fault.CHANGE not in self.faults:
            return []
        restarts = [line for episode in self.episodes for line in episode.lines]
        mended: list[Command] = [At(0, at.command) for at in restarts if isinstance(at.command, Restart)]
        return [Wait(1), *mended] if mended else []  # what stands on its own begins when all before has ended

    def scenario(self, name: str = "fuzz") -> Scenario:
        """The same, as if read from a file."""
        numbered = enumerate(self.commands(), start=1)
        return Scenario(name, tuple(Line(number, str(command), command) for number, command in numbered))

    def text(self) -> str:
        """The same, as it is written to a file."""
        return "".join(f"{command}\n" for command in self.commands())


def plan(
    config: ClusterConfig,
    seed: int,
    faults: Sequence[Fault] | None = None,
    guarantees: Sequence[str] | None = None,
) -> Plan:
    """The plan of this seed. `guarantees`: check these, claimed or not; `faults`: of these kinds."""
    config = stages.checked(msgspec.structs.replace(config, seed=seed, chance="named"))
    random = Random(f"fuzz/{config.stage}/{seed}")
    kinds = _kinds(config, random, faults, guarantees is not None)
    checks = [claim.guarantee for claim in held_to(config, kinds)] if guarantees is None else guarantees
    if Fault.RESTART in kinds:
        config = msgspec.structs.replace(config, durable=True)
    return Plan(
        Cluster.of(config),
        _operations(config, random),
        _episodes(config, random, kinds),
        SETTLE_GOSSIP_MS if config.stage >= 7 else SETTLE_MS,
        tuple(name for name in ORDER if name in checks),
    )


def possible(config: ClusterConfig) -> list[Fault]:
    """The faults that a cluster of this stage can meet."""
    stage = stages.find(config.stage)
    alone = (*ON_THE_NETWORK, Fault.DEATH)  # nobody would be left to ask
    here = [fault for fault in Fault if stage.nodes_max > 1 or fault not in alone]
    return [fault for fault in here if stage.ring or fault is not Fault.CHANGE]


def _kinds(
    config: ClusterConfig, random: Random, faults: Sequence[Fault] | None, whatever: bool
) -> list[Fault]:
    """Which kinds of faults this run has: such that at least one claim can be held to them."""
    if faults is not None:
        among: Sequence[Fault] = [fault for fault in faults if fault in possible(config)]
    elif whatever:
        among = [fault for fault in possible(config) if fault not in FORGETTING]
    else:
        made = [claim for claim in claims_of(config.stage) if claim.made(config)]
        some = [claim for claim in made if claim.guarantee != ALWAYS] or made
        among = [fault for fault in random.choice(some).under or () if fault in possible(config)]
    chosen = random.sample(among, random.randint(min(1, len(among)), min(FAULTS_MAX, len(among))))
    forgetting = [fault for fault in chosen if fault in FORGETTING]
    return [fault for fault in Fault if fault in chosen and fault not in forgetting[1:]]


# -- operations ----------------------------------------------------------------------------------


def _operations(config: ClusterConfig, random: Random) -> tuple[At, ...]:
    """What clients do: each through a node of its own as a rule, often at the same time, on a few keys."""
    nodes = [member.node for member in config.members()]
    keys = [b"k%d" % i for i in range(1, random.choice([1, 1, 2, 4]) + 1)]
    key = random.choice(keys)
    homes = nodes[:CLIENTS]  # which keys they are replicas of is chance enough
    writes, deletes = random.choice([0.15, 0.3, 0.5]), random.choice([0, 0.1])
    operations = []
    ms = 0.0
    count = random.randint(OPERATIONS_MIN, OPERATIONS_MAX)
    for number in range(1, count + 1):
        chance = random.random()
        if chance < PAUSES:
            ms += random.expovariate(PAUSES * count / SPAN_MS)
            key = random.choice(keys)
        else:
            ms += random.uniform(0, 10 if chance < PAUSES + AT_ONCE else 80)
        via = random.choice(homes) if random.random() < 0.8 else random.choice(nodes)
        operations.append(At(int(ms), _operation(random, number, key, via, writes, deletes)))
    return tuple(operations)


def _operation(random: Random, number: int, key: Key, via: str, writes: float, deletes: float) -> Command:
    """One operation; `writes` and `deletes` are their shares."""
    node = NodeName(via)
    kind = random.random()
    if kind < deletes:
        return Delete(key, node, f"d{number}")
    if kind < deletes + writes:
        return Put(key, b"v%d" % number, node, name=f"w{number}")
    return Get(key, node, name=f"r{number}")


# -- faults --------------------------------------------------------------------------------------


def _episodes(config: ClusterConfig, random: Random, kinds: Sequence[Fault]) -> tuple[Episode, ...]:
    """When they strike, and for how long. They may get into each other's way: a timeline leaves out what
    makes no sense at its moment, such as to pause a node that is dead."""
    faults = [fault for fault in kinds for _ in range(1 if fault in FORGETTING else random.randint(1, 3))]
    nodes: list[str] = [member.node for member in config.members()]
    moments = sorted(random.randint(0, SPAN_MS * 3 // 4) for _ in faults)
    random.shuffle(faults)
    episodes = []
    for fault, begins in zip(faults, moments, strict=True):
        ends = begins + SPAN_MS // random.choice([40, 8, 3, 2])
        episodes.append(_episode(config, random, fault, nodes, begins, ends))
    return tuple(episodes)


def _episode(
    config: ClusterConfig, random: Random, fault: Fault, nodes: list[str], begins: int, ends: int
) -> Episode:
    """One fault. What joins or leaves is noted in `nodes`."""
    node = NodeName(random.choice(nodes[:CLIENTS] if random.random() < 0.5 else nodes))
    others = [NodeName(other) for other in nodes if other != node.name]
    other = random.choice(others) if others and random.random() < 0.5 else None
    match fault:
        case Fault.DELAY:
            delay, jitter = random.choice([(20, 20), (60, 60), (100, 100), (150, 50), (300, 0)])
            lines: list[Command] = [Slow(node, other, delay, jitter), Slow(node, other, 0)]
        case Fault.LOSS:
            lines = [Lose(node, other, random.choice([10.0, 50.0, 70.0, 100.0])), Lose(node, other, 0.0)]
        case Fault.DUPLICATION:
            lines = [Duplicate(node, other, random.choice([30.0, 100.0])), Duplicate(node, other, 0.0)]
        case Fault.PARTITION:
            lines = [_partition(random, nodes), Heal()]
        case Fault.PAUSE:
            lines = [Pause(node), Resume(node)]
        case Fault.DEATH:
            lines = [Kill(node)]
        case Fault.RESTART:
            lines = [Kill(node), Restart(node)]
        case Fault.AMNESIA:
            lines = [Kill(node), Restart(node, empty=True)]
        case Fault.SKEW:
            lines = [Skew(node, random.choice([-1, 1]) * random.choice([5, 200, 5000]))]
        case Fault.CHANGE:
            lines = [_change(config, random, nodes)]
    return Episode(fault, tuple(At(ms, line) for ms, line in zip((begins, ends), lines, strict=False)))


def _partition(random: Random, nodes: Sequence[str]) -> Partition:
    shuffled = random.sample(nodes, len(nodes))
    cut = random.randint(1, len(nodes) - 1)
    sides = (sorted(shuffled[:cut], key=_number), sorted(shuffled[cut:], key=_number))
    return Partition(tuple(tuple(map(NodeName, side)) for side in sides))


def _number(node: str) -> int:
    return int(node[1:])


def _change(config: ClusterConfig, random: Random, nodes: list[str]) -> Add | Remove:
    if len(nodes) > config.n + 1 and random.random() < 0.5:
        leaver = random.choice(nodes)
        nodes.remove(leaver)
        return Remove(NodeName(leaver))
    joiner = f"n{max(map(_number, nodes)) + 1}"
    nodes.append(joiner)
    return Add(NodeName(joiner))
