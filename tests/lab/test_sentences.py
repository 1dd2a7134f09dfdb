"""What the lab says happened, and what it proposes to try: without a manual, a consequence must be seen."""

from __future__ import annotations

import msgspec
import pytest

from kvlab.lab.advice import advice
from kvlab.lab.goals import GOALS
from kvlab.lab.narrate import happened, messages
from kvlab.lab.view import Moment, View
from kvlab.messages import Member, NodeId, OpId, RingSpec
from kvlab.stages import STAGES
from kvlab.trace.events import (
    AnyEvent,
    Believed,
    Exchanged,
    Hinted,
    LinkChanged,
    MessageDropped,
    NodeFault,
    NodeLeft,
    NodePaused,
    NodeReady,
    NodeStarting,
    OpEnded,
    OpStarted,
    Partitioned,
    Repaired,
    RingChanged,
    Stored,
)
from tests.lab.stories import (
    HOMES,
    KEY,
    births,
    conflict,
    copy_of,
    cut,
    death,
    doubt,
    found_out,
    held,
    mended,
    put,
    stood_in,
    view,
    written,
)

N1, N2, N3, N4, N5 = (NodeId(f"n{i}") for i in range(1, 6))


def read(at_ms: float, *values: bytes, op: str = "n2.0.9", took_ms: float = 2.0) -> list[AnyEvent]:
    return [
        OpStarted(at_ms, N2, OpId(op), "get", KEY),
        OpEnded(at_ms + took_ms, N2, OpId(op), "get", KEY, "ok", took_ms, values),
    ]


# -- who believes whom -----------------------------------------------------------------------------


def test_who_suspects_whom_and_how_long_after_is_told() -> None:
    suspected = view(births(), death("n3", 1000), doubt("n3", 2000, "suspect", "n1", "n2"), stage=7)
    assert happened(suspected) == (
        "n1 and n2 suspect n3, 1.0 s after it was killed. It is failed when nobody has heard it for longer."
    )


def test_who_has_found_out_is_told_apart_from_who_only_suspects() -> None:
    assert happened(view(births(), *found_out(), stage=7)) == (
        "n1 and n4 take n3 for failed, 2.0 s after it was killed; n2 and n5 only suspect it."
    )


def test_a_node_that_is_only_cut_off_is_said_to_be_alive() -> None:
    cut_off: list[AnyEvent] = [
        Partitioned(400, NodeId(""), ((N3,), (N1, N2, N4, N5))),
        *doubt("n3", 3000, "failed", "n1"),
    ]
    assert happened(view(births(), cut_off, stage=7)) == (
        "n1 takes n3 for failed. It is alive, and cannot be heard."
    )


def test_a_paused_node_is_found_out_since_its_pause_and_taken_for_alive_again() -> None:
    paused: list[AnyEvent] = [NodePaused(1000, N3), *doubt("n3", 3500, "failed", "n1")]
    assert "n1 takes n3 for failed, 2.5 s after it was paused." in happened(view(births(), paused, stage=7))
    back: list[AnyEvent] = [*paused, Believed(5000, N1, N3, "alive")]
    assert happened(view(births(), back, stage=7)) == "Everybody takes n3 for alive again."


# -- hints, repairs, walks -------------------------------------------------------------------------


def test_a_write_says_who_keeps_a_hint_for_whom() -> None:
    assert happened(view(births(), put(), stood_in(), stage=8)).endswith(
        "2 of 3 replicas hold it: n4 and n2. n5 keeps it for n3, as a hint."
    )


@pytest.mark.parametrize(
    ("what", "left", "said"),
    [
        ("delivered", 0, "n5 has brought n3 what it kept for it: cart:42 is home."),
        ("delivered", 2, "n5 has brought n3 what it kept for it: cart:42 is home. 2 hints left there."),
        ("expired", 0, "The hint of n5 for n3 has expired: cart:42 will not come home from it."),
        ("refused", 9, "n5 has no room for one more hint: it did not take cart:42 for n3."),
        ("moved", 0, "n3 is no replica of cart:42 any more: n5 readdresses its hint."),
        ("kept", 1, "n5 keeps cart:42 for n3 until it is back."),
    ],
)
def test_what_became_of_a_hint_is_told(what: str, left: int, said: str) -> None:
    assert happened(view(births(), [Hinted(900, N5, N3, KEY, what, left)], stage=8)) == said


def test_a_read_says_whom_it_has_mended() -> None:
    repaired: list[AnyEvent] = [*read(700, b"milk"), Repaired(703, N2, KEY, N3, "read", OpId("n2.0.9"))]
    told = view(births(), put(), repaired, stage=5)
    assert happened(told) == "n2 read cart:42: milk, in 2 ms. It has mended what n3 held."
    other: list[AnyEvent] = [*repaired, *read(800, b"milk", op="n2.0.10"), repaired[-1]]
    assert happened(view(births(), put(), other, stage=5)) == "n2 has mended the copy of cart:42 at n3."


def test_a_walk_that_found_something_is_told_and_one_that_did_not_is_not() -> None:
    assert happened(view(births(), put(), mended(), stage=9)) == (
        "n4 and n3 compared their trees, 4 levels deep: 3 buckets and 3 keys differed, found with 2.4 KB of "
        "hashes. Both sides take what they lack."
    )


# -- siblings and stale reads ----------------------------------------------------------------------


def test_siblings_are_told_when_they_are_born_and_when_they_are_found() -> None:
    born = happened(view(births(), put(), conflict(), stage=6))
    assert born.endswith("It had not seen what was there: both values stay, as siblings.")
    found = happened(view(births(), put(), conflict(), read(700, b"milk", b"bread"), stage=6))
    assert "milk and bread, in 2 ms. Nobody's writer had seen the other: they are siblings." in found


def stale(*between: AnyEvent, values: tuple[bytes, ...] = (b"milk",)) -> str:
    """A read that finds `values`, after milk and then bread were acknowledged."""
    second = put("n1.0.2", 500, b"bread")
    return happened(view(births(), put(), second, list(between), read(700, *values), stage=5))


def test_a_read_of_an_older_value_than_was_acknowledged_is_called_stale() -> None:
    assert stale().endswith("A stale read: bread had been acknowledged before it began.")


def test_a_read_is_not_called_stale_where_that_cannot_be_known() -> None:
    beside: list[AnyEvent] = [OpStarted(695, N2, OpId("n2.0.8"), "put", KEY, b"milk")]
    unknown = [*beside, OpEnded(699, N2, OpId("n2.0.8"), "put", KEY, "unknown", 4.0)]
    failed = [*beside, OpEnded(699, N2, OpId("n2.0.8"), "put", KEY, "failed", 4.0)]
    overlapping: list[AnyEvent] = [
        OpStarted(499, N2, OpId("n2.0.7"), "put", KEY, b"milk"),
        OpEnded(503, N2, OpId("n2.0.7"), "put", KEY, "ok", 4.0),
    ]
    assert "stale" not in stale(*overlapping)
    assert "stale" not in stale(values=(b"bread",))
    assert "stale" not in stale(values=(b"milk", b"bread"))
    assert "stale" not in stale(*beside)
    assert "stale" not in stale(*unknown)
    assert "stale" in stale(*failed)


# -- what to try -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [stage.number for stage in STAGES])
def test_every_stage_says_what_it_is_about_and_proposes_something(stage: int) -> None:
    nodes = {1: 1, 2: 3}.get(stage, 5)
    well = view(births(nodes), stage=stage, nodes=nodes)
    assert len(GOALS[stage]) <= 74
    assert len(advice(well)) <= 78
    dead = view(births(nodes), death("n1", 400), stage=stage, nodes=nodes)
    assert len(advice(dead)) <= 78
    assert advice(dead) != advice(well)


def test_advice_follows_what_the_stage_makes_of_a_death() -> None:
    waiting = view(births(), put(), death("n3", 1000), stage=7)
    known = view(
        births(), put(), death("n3", 1000), doubt("n3", 3000, "failed", *["n1", "n2", "n4", "n5"]), stage=7
    )
    assert advice(waiting).startswith("Watch:")
    assert advice(known).startswith("Press w: nobody waits for n3")
    before = view(births(), put(), death("n3", 600), stage=8)
    assert advice(before) == "Press w to write cart:42: a stand-in keeps it for n3; then r and 3."
    after = view(births(), put(), stood_in(), stage=8)
    assert advice(after) == "Press r and 3 to restart n3: what others keep for it comes home."
    empty = view(births(), put(), death("n5", 600), stage=9)
    assert advice(empty) == "Press r and 5, read nothing, and press 3: its replicas mend what it lost."


def test_advice_goes_on_when_what_it_proposed_was_done() -> None:
    dead = (births(), death("n3", 200), put(silent="n3"))
    assert advice(view(births(), put(), death("n3", 1000))).startswith(
        "Press w to write without n3; then r and 3"
    )
    assert advice(view(*dead)) == "Press r and 3 to restart n3, empty; then g to read cart:42."
    assert advice(view(*dead, durable=True)) == "Press r and 3 to restart n3; then g to read cart:42."
    assert advice(view(births(), put(), cut(400), stage=5)).startswith("Press w to write across the cut")
    refused: list[AnyEvent] = [
        msgspec.structs.replace(event, why="partition") if isinstance(event, MessageDropped) else event
        for event in put("n1.0.2", 500, silent="n3")
    ]
    assert advice(view(births(), put(), cut(400), refused, stage=5)).startswith(
        "Press h to heal the cut; then g"
    )
    assert "what is left?" in advice(view(births(1), death("n1", 300), stage=1, nodes=1))


def test_how_an_operation_has_failed_is_a_sentence() -> None:
    unknown = view(births(), put(silent="n3"))
    assert happened(unknown) == (
        "What became of the put of cart:42 is unknown: perhaps written, perhaps not. n3 did not answer."
    )
    assert unknown.op is not None
    refused = msgspec.structs.replace(unknown, op=msgspec.structs.replace(unknown.op, outcome="failed"))
    assert happened(refused).startswith("The put of cart:42 has failed: nothing was written.")
    read = msgspec.structs.replace(unknown, op=msgspec.structs.replace(unknown.op, kind="get"))
    assert happened(read).startswith("The get of cart:42 has failed: nothing is known of the value.")


def test_advice_at_stages_5_and_6_is_a_slow_replica_and_a_second_writer() -> None:
    assert (
        advice(view(births(), put(), stage=5))
        == "Press s and 2 to slow n2, a replica of cart:42; then w and g."
    )
    slow: list[AnyEvent] = [LinkChanged(400, N1, N2, 500.0)]
    assert advice(view(births(), put(), slow, stage=5)).startswith("Press w: who is slow is not waited for.")
    assert "put cart:42 jam via n2 blind" in advice(view(births(), put(), stage=6))
    assert advice(view(births(), put(), conflict(), stage=6)).startswith("Press g to read them all; then w")


def test_at_stage_3_a_node_is_to_be_added_once_there_are_keys_that_could_move() -> None:
    assert "load 200/s for 3s" in advice(view(births(), put(), stage=3))
    many: list[AnyEvent] = [Stored(900, N1, b"key:%d" % i, b"v", i + 1, 75) for i in range(30)]
    assert advice(view(births(), many, stage=3)).startswith(
        "Press a to add a node: about one key in 6 moves."
    )
    assert len(advice(view(births(11), many, stage=3, nodes=11))) <= 78
    assert "Press k" in advice(view(births(12), many, stage=3, nodes=12))


def test_a_replica_that_lacks_the_key_is_to_be_mended_as_the_stage_does_it() -> None:
    same = copy_of(written("n3", 1, b"milk"), seen="n3:1")
    two = [held("n3", same, 400), held("n4", same, 401)]
    assert advice(view(births(), two, stage=7)) == (
        "n2 lacks cart:42. Press g: a read mends it; 3 shows who holds what."
    )
    assert advice(view(births(), two, stage=9)) == (
        "n2 lacks cart:42. Read nothing, and watch 3, the data: it is mended."
    )


def test_nobody_is_sent_to_the_tab_that_is_open() -> None:
    same = copy_of(written("n3", 1, b"milk"), seen="n3:1")
    two, all_three = [held("n3", same, 400), held("n4", same, 401)], [held(n, same, 400) for n in HOMES]
    for stories, stage in [((two,), 7), ((two,), 9), ((all_three,), 6), ((all_three,), 9)]:
        seen = advice(view(births(), *stories, stage=stage, tab="data"))
        assert "3" in advice(view(births(), *stories, stage=stage, tab="cluster")).replace("n3", "")
        assert "here" in seen
        assert not [words for words in ("press 3", "3 shows", "watch 3") if words in seen]
        assert len(seen) <= 78
    dead = advice(view(births(), put(), death("n5", 600), stage=9, tab="data"))
    assert dead == "Press r and 5, read nothing, and look here: its replicas mend what it lost."


def test_a_node_that_the_ring_has_lost_and_the_header_still_counts_is_explained() -> None:
    names = [NodeId(f"n{i}") for i in range(1, 6)]
    smaller = RingSpec(1, tuple(Member(name, "z1") for name in names[1:]), 8)
    told: list[AnyEvent] = [RingChanged(900, names[1], smaller, "installed")]
    assert happened(view(births(), told)) == (
        "The ring has 4 members now (epoch 1); n1 answers who asked by the old ring, and then ends."
    )
    left: list[AnyEvent] = [
        *told,
        NodeLeft(1000, names[0]),
        RingChanged(1001, names[2], smaller, "installed"),
    ]
    assert happened(view(births(), left)) == "The ring has 4 members now (epoch 1)."


def test_at_stage_4_nothing_mends_a_replica_that_came_back_empty_but_the_next_write() -> None:
    back: list[AnyEvent] = [NodeStarting(500, N3, "z1", 1), NodeReady(600, N3, 1, 7003, 4009)]
    assert advice(view(births(), put(), death("n3", 400), back)) == (
        "n3 lacks cart:42, and no read mends it. Press w: all of them get it."
    )


def test_the_one_who_holds_a_key_is_named() -> None:
    told: list[AnyEvent] = [
        OpStarted(300, N1, OpId("n1.0.1"), "put", KEY, b"milk"),
        Stored(301, N3, KEY, b"milk", 1, 75, OpId("n1.0.1")),
        OpEnded(302, N1, OpId("n1.0.1"), "put", KEY, "ok", 2.0),
    ]
    assert happened(view(births(), told, stage=3)) == "cart:42 = milk is written in 2 ms; n3 holds it."


def test_at_stage_4_a_slow_replica_is_said_to_be_waited_for() -> None:
    slow: list[AnyEvent] = [LinkChanged(400, N1, N2, 500.0)]
    assert advice(view(births(), put(), slow)) == (
        "Press w: the slowest replica is waited for. h makes the network fast again."
    )


def test_while_a_node_is_paused_the_next_step_is_proposed_and_not_the_last_one_again() -> None:
    paused: list[AnyEvent] = [NodePaused(400, N3)]
    assert advice(view(births(), put(), paused)) == (
        "Press g to read without n3; then z and 3 to let it go on."
    )
    assert advice(view(births(), put(), paused, read(500, b"milk"))) == (
        "Press w to write without n3; then z and 3 to let it go on."
    )
    assert advice(view(births(), put(), paused, put("n1.0.2", 900, b"tea", silent="n3"))) == (
        "Press z and 3 to let n3 go on: it reads what was sent to it meanwhile."
    )


def test_an_exchange_of_one_key_is_told_in_the_singular() -> None:
    one = view(births(), [Exchanged(900, N1, N2, 1, 1, 1, 16, (1,))], stage=9)
    assert "1 level deep: 1 bucket and 1 key differed" in happened(one)


# -- the reader's own code -------------------------------------------------------------------------

UNWRITTEN = "quorum.py, line 83: QuorumNode.put is not written yet"


def raised(outcome: str, trouble: str = UNWRITTEN, kind: str = "put", text: str = "") -> View:
    """What is seen when the reader's piece has raised this in an operation."""
    op = OpId("n1.0.1")
    told: list[AnyEvent] = [
        OpStarted(300, N1, op, kind, KEY, b"milk"),
        OpEnded(300, N1, op, kind, KEY, outcome, 0.0, (), "NotWritten", text or trouble),
        NodeFault(300, N1, trouble),
    ]
    return view(births(), told, stage=5, mine="quorum.py")


def test_a_piece_that_is_not_written_yet_is_named_with_its_line_and_what_to_do() -> None:
    seen = raised("failed")
    assert happened(seen) == f"Your {UNWRITTEN}. Nothing was written."
    assert advice(seen) == "Press 6 to see the line. Write it, run kvlab check 5; k, then r, loads it."
    assert "6" not in advice(msgspec.structs.replace(seen, tab="code"))
    assert happened(raised("unknown", kind="get")) == f"Your {UNWRITTEN}. Nothing was read."


def test_where_some_of_it_was_done_before_the_missing_piece_nobody_is_told_otherwise() -> None:
    refused = f"the write has to hear from 1 of 1 replicas; n1 refused: {UNWRITTEN}; it is perhaps done"
    assert happened(raised("unknown", text=refused)) == (
        f"Your {UNWRITTEN}. The put of cart:42 is perhaps written, perhaps not."
    )


def test_a_bug_in_the_readers_code_is_told_from_one_in_ours() -> None:
    bug = "quorum.py, line 90: KeyError: 'n9'"
    assert advice(raised("unknown", bug)).startswith("Press 6 to see the line. Mend it, run kvlab check 5")
    later: list[AnyEvent] = [NodeFault(900, N2, bug)]
    seen = view(births(), put(), later, stage=5, mine="quorum.py")
    assert happened(seen) == f"n2 came to your {bug}: a bug in your code, not bad luck."
    ours: list[AnyEvent] = [NodeFault(900, N2, "KeyError: 'n9'")]
    assert "your" not in happened(view(births(), put(), ours, stage=5, mine="quorum.py"))
    assert "kvlab check" not in advice(view(births(), put(), ours, stage=5, mine="quorum.py"))


def test_v_names_what_each_node_has_raised_once() -> None:
    seen = view(
        births(), [NodeFault(900, N1, UNWRITTEN), NodeFault(901, N2, UNWRITTEN)], stage=5, mine="quorum.py"
    )
    assert f"n1 and n2 raised {UNWRITTEN}." in messages(seen).paragraphs


def test_what_the_number_beside_paused_counts_is_said_where_it_is_seen() -> None:
    past = Moment(held=True, behind=True, place=16, end=123_472)
    assert past.badge == "PAUSED +123456"
    told = advice(view(births(), put(), moment=past))
    assert told.startswith("+123456 events since")
    assert len(told) <= 78
