"""Every command and condition that can be written, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from kvlab.script import commands as c
from kvlab.script import conditions as cond
from kvlab.script.words import OPERATORS, RESERVED

keys = st.binary(min_size=1, max_size=12) | st.sampled_from([word.encode() for word in sorted(RESERVED)])
values = st.binary(max_size=12) | st.sampled_from([b"missing", b"within", b"=", b"#1", b'"', b"\xff\n"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 10**6)
positive = st.integers(1, 10**6)
times = st.integers(1, 3_600_000)
percents = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)
names = st.integers(1, 20).map(lambda i: cond.NodeName(f"n{i}"))
nodes = names | st.builds(cond.Home, keys, st.integers(1, 12)) | st.builds(cond.Outside, keys)
comparisons = st.sampled_from(OPERATORS)
equalities = st.sampled_from(["=", "!="])
value_lists = st.lists(values, max_size=3).map(tuple)

conditions = st.one_of(
    st.builds(cond.GetIs, keys, equalities, value_lists, st.none() | nodes),
    st.builds(cond.HeldIs, keys, nodes, equalities, value_lists),
    st.builds(cond.SiblingsAre, keys, comparisons, counts),
    st.builds(cond.ReplicasAre, keys, equalities, st.lists(nodes, min_size=1, max_size=4).map(tuple)),
    st.builds(cond.HintsAre, st.none() | nodes, comparisons, counts),
    st.builds(cond.KeysAre, nodes, comparisons, counts),
    st.builds(cond.RepairsAre, st.none() | nodes, comparisons, counts),
    st.builds(cond.Sees, nodes, nodes, equalities, st.sampled_from(cond.BELIEFS)),
    st.builds(cond.OverwrittenAre, keys, equalities, value_lists),
    st.builds(cond.ResultIs, equalities, st.sampled_from(["ok", "failed", "unknown", "QuorumNotReached"])),
)

clusters = st.builds(
    c.Cluster,
    stage=st.integers(1, 9),
    nodes=st.none() | st.integers(1, 12),
    n=st.none() | positive,
    r=st.none() | positive,
    w=st.none() | positive,
    seed=st.none() | counts,
    choice=st.sampled_from([None, "cp", "ap"]),
    resolve=st.sampled_from([None, "siblings", "newest", "union", "own:merge"]),
    zones=st.none() | positive,
    vnodes=st.none() | positive,
    memory=st.none() | positive,
    preset=st.sampled_from([None, "strong", "weak", "eventual"]),
    prune=st.none() | positive,
    detector=st.sampled_from([None, "heartbeat", "phi"]),
    fanout=st.none() | positive,
    **{name: st.none() | st.booleans() for name in c.SWITCHES},
    **{name: st.none() | times for name in c.DURATIONS},
    chance=st.sampled_from([None, "stream", "named"]),
)

links = st.tuples(nodes, st.none() | nodes).filter(lambda ends: ends[0] != ends[1])


def slow(ends: tuple[cond.NodeRef, cond.NodeRef | None], delay: int, jitter: int) -> c.Slow:
    return c.Slow(ends[0], ends[1], delay, jitter)


@st.composite
def partitions(draw: st.DrawFn) -> c.Partition:
    everyone = draw(st.lists(nodes, min_size=2, max_size=8, unique=True))
    cut = draw(st.integers(1, len(everyone) - 1))
    return c.Partition((tuple(everyone[:cut]), tuple(everyone[cut:])))


calls = st.none() | st.sampled_from(["w1", "as", "r-2", "a_b.c"])
kinds = st.sampled_from(["Keep", "Fetched", "Nonsense"])

untimed = st.one_of(  # what may stand after `cluster`
    st.builds(
        c.Put, keys, values, st.none() | nodes, st.none() | positive, st.none() | times, st.booleans(), calls
    ),
    st.builds(c.Get, keys, st.none() | nodes, st.none() | positive, calls),
    st.builds(c.Delete, keys, st.none() | nodes, calls),
    st.builds(c.LoseMessage, kinds, calls.map(lambda name: name or "w"), nodes, nodes),
    st.builds(c.Kill, nodes),
    st.builds(c.Restart, nodes, st.booleans()),
    st.builds(c.Pause, nodes),
    st.builds(c.Resume, nodes),
    partitions(),
    st.just(c.Heal()),
    st.builds(slow, links, st.integers(0, 9999), st.integers(0, 999)),
    st.builds(lambda ends, percent: c.Lose(ends[0], ends[1], percent), links, percents),
    st.builds(lambda ends, percent: c.Duplicate(ends[0], ends[1], percent), links, percents),
    st.builds(c.Skew, nodes, st.integers(-3_600_000, 3_600_000)),
    st.builds(c.Rot, keys, nodes),
    st.builds(
        c.DecideMessage,
        st.builds("n{}.{}.{}".format, positive, st.integers(0, 9), positive),
        st.sampled_from(["now", "lost", "twice"]),
    ),
    st.just(c.StopLoad()),
    st.builds(c.Add, names, st.sampled_from([None, "z1", "sofia"]), st.none() | st.integers(1, 16)),
    st.builds(c.Remove, nodes),
    st.builds(c.Wait, times),
    st.builds(c.WaitUntil, conditions, st.none() | times),
    st.builds(c.Expect, conditions),
    st.builds(c.Check, st.sampled_from(c.CLAIMS)),
    st.builds(
        c.Load, st.integers(1, 10_000), times, st.none() | percents, st.none() | positive, st.booleans()
    ),
    st.builds(c.Say, texts),
    st.builds(c.Predict, texts, texts),
)

lines = untimed | st.builds(
    c.At, times, untimed.filter(lambda command: not isinstance(command, c.Wait | c.WaitUntil))
)
commands = clusters | lines
