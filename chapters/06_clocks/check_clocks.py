"""The checks of chapter 6: clocks, contexts as sets of dots, copies that merge; and a cluster on them."""

from __future__ import annotations

from random import Random

from clocks import (
    compacted,
    contains,
    descends,
    incremented,
    joined,
    merged,
    merged_clocks,
    next_dot,
    order,
    with_dot,
    written,
)
from hypothesis import given
from hypothesis import strategies as st

from kvlab.config import ClusterConfig
from kvlab.core.clocks import Order
from kvlab.course.checking import begin, call, hold, play, same, seeds, true
from kvlab.messages import NOTHING, Actor, Context, Dot, Sibling, Siblings

X, Y, Z = ACTORS = tuple(map(Actor, ("x", "y", "z")))

DOTS = st.builds(Dot, st.sampled_from(ACTORS), st.integers(1, 5))


def alone(function, *args):
    """A call that nothing before it has to do with: it is the smallest that shows what is wrong with it."""
    begin()
    return call(function, *args)


# -- clocks --------------------------------------------------------------------------------------


def check_a_clock_descends_from_one_that_it_has_seen():
    """a descends from b if it has seen as much or more of each actor.

    Likely: an actor that is not named counts 0. It is missing in a clock until it has written.
    """
    enough = "`>` where it has to be `>=`: as much is enough."
    same(
        alone(descends, ((X, 2), (Y, 1)), ((X, 2),)),
        True,
        "it has seen both writes of x, and one of y",
        enough,
    )
    same(alone(descends, ((X, 2),), ((X, 2), (Y, 1))), False, "it has seen nothing of y")
    same(alone(descends, ((X, 2),), ((X, 2),)), True, "it has seen just what the other has", enough)
    same(alone(descends, ((X, 5),), ((X, 1), (Y, 1))), False, "much of x makes up for nothing of y")
    same(alone(descends, (), ()), True)


def check_there_are_four_answers_to_before_or_after():
    """order knows before, after, equal, and concurrent: neither has seen all that the other has.

    Likely: whoever is not before is taken for after. Then of two concurrent writes one is thrown away, and
    that was the trouble with the clocks on the wall.
    """
    tuples = "tuples are compared as tuples, pair by pair. Ask `descends`, both ways."
    same(alone(order, ((X, 1),), ((X, 2),)), Order.BEFORE)
    same(alone(order, ((X, 2), (Y, 1)), ((X, 2),)), Order.AFTER)
    same(alone(order, ((X, 1),), ((X, 1),)), Order.EQUAL)
    same(
        alone(order, ((Y, 1),), ((X, 1), (Y, 1))), Order.BEFORE, "it has seen the write of x as well", tuples
    )
    same(alone(order, ((X, 2), (Y, 1)), ((X, 2), (Z, 1))), Order.CONCURRENT)
    same(alone(order, ((X, 3),), ((Y, 1),)), Order.CONCURRENT, "a greater sum is not a longer history")


def check_merged_clocks_have_seen_what_either_has():
    """Of each actor the greater count; sorted by actor, and no counts of 0.

    Likely: the counts are added up. To hear of the same write twice is not to have seen two.
    """
    last = "the second clock is put over the first, and the greater count is lost where the first had it."
    zero = "a count of 0 is kept: then one history has two forms, with the 0 and without."
    a, b = ((Y, 1), (Z, 3)), ((X, 2), (Z, 1))
    same(alone(merged_clocks, ((X, 2),), ((X, 2),)), ((X, 2),))
    same(alone(merged_clocks, a, b), ((X, 2), (Y, 1), (Z, 3)), "of z the first has seen three writes", last)
    same(alone(merged_clocks, ((X, 2),), ((Y, 0),)), ((X, 2),), "y has written nothing", zero)


def check_figure_3_of_the_paper():
    """The example of the Dynamo paper's figure 3 comes out as it stands there.

    Likely: incremented counts on from 1 for whoever is not named yet, or forgets the others.
    """
    begin()
    d1 = call(incremented, (), "Sx")
    d2 = call(incremented, d1, "Sx")
    d3, d4 = call(incremented, d2, "Sy"), call(incremented, d2, "Sz")
    same(d3, (("Sx", 2), ("Sy", 1)), "D3 is Sy's first write")
    same(d4, (("Sx", 2), ("Sz", 1)))
    same(call(order, d3, d4), Order.CONCURRENT)
    d5 = call(incremented, call(merged_clocks, d3, d4), "Sx")
    same(d5, (("Sx", 3), ("Sy", 1), ("Sz", 1)))
    same(call(order, d5, d4), Order.AFTER)
    same(
        call(incremented, (("Sy", 1),), "Sx"),
        (("Sx", 1), ("Sy", 1)),
        "a clock is in the order of its actors",
        likely="whoever is new is put at the end. Two replicas hold one clock in two orders then, and take "
        "it for two.",
    )


# -- contexts ------------------------------------------------------------------------------------


def check_a_context_contains_its_clock_and_its_loose_dots():
    """A dot was seen if the clock has counted so far, or if it is one of the loose ones.

    Likely: only the clock is looked at; or the greatest dot stands for all before it. `+x:4` says that the
    fourth was seen, and that the third was not.
    """
    context = Context(((X, 2), (Y, 1)), (Dot(X, 4),))
    for count, seen in ((1, True), (2, True), (3, False), (4, True), (5, False)):
        same(alone(contains, context, Dot(X, count)), seen)
    same(alone(contains, context, Dot(Z, 1)), False, "of z nothing was seen")


def check_a_dot_without_a_gap_goes_into_the_clock():
    """compacted puts into the clock what has no gap before it, and keeps the rest loose and sorted.

    Likely: the dots have to be looked at in order: x:3 can go into the clock only after x:2 has.
    """
    once = "what does not go into the clock is kept loose, also a dot that is in it already, or comes twice."
    same(alone(compacted, ((X, 1),), [Dot(X, 3), Dot(X, 2)]), Context(((X, 3),)), "2 closes the gap before 3")
    same(alone(compacted, (), [Dot(X, 1), Dot(Y, 2)]), Context(((X, 1),), (Dot(Y, 2),)))
    same(
        alone(compacted, ((Y, 2),), [Dot(Y, 5), Dot(X, 3), Dot(Y, 1), Dot(Y, 5)]),
        Context(((Y, 2),), (Dot(X, 3), Dot(Y, 5))),
        "y:1 is in the clock already, and nothing is there twice",
        once,
    )


def check_to_have_seen_one_write_is_not_to_have_seen_those_before_it():
    """with_dot adds this dot, and no other.

    Likely: the count in the clock is set to the dot's. Whoever knows the third write of x need not know of
    the second; taken to know it, his next write would replace what he has never seen.
    """
    gap = alone(with_dot, Context(((X, 1),)), Dot(X, 3))
    same(gap, Context(((X, 1),), (Dot(X, 3),)))
    same(alone(with_dot, gap, Dot(X, 2)), Context(((X, 3),)), "now there is no gap any more")


def check_a_dot_is_never_given_out_twice():
    """next_dot counts on from the last write of the actor that is known, in the clock or loose.

    Likely: only the clock is looked at. Two writes of one name are one write: the other disappears.
    """
    same(alone(next_dot, NOTHING, X), Dot(X, 1), "writes are counted from 1")
    same(alone(next_dot, Context(((X, 2), (Y, 7))), X), Dot(X, 3))
    same(alone(next_dot, Context(((X, 2),), (Dot(X, 5), Dot(Y, 9))), X), Dot(X, 6), "x:5 was given out")


@given(st.lists(DOTS, max_size=8), st.lists(DOTS, max_size=8))
def check_a_context_is_the_set_of_its_dots(some, more):
    """joined contains each dot of either, and no other; and the same set has the same form always.

    Likely: something is kept in the order in which it came, or stands both in the clock and loose. Replicas
    that know the same would differ for ever.
    """
    begin()
    a, b = call(compacted, (), some), call(compacted, (), more)
    both = call(joined, a, b)
    everything = [Dot(actor, count) for actor in ACTORS for count in range(1, 7)]
    got = {dot for dot in everything if contains(both, dot)}
    true(got == {*some, *more}, f"it contains {shown(some + more)}", both, f"it contains {shown(got)}")
    same(call(joined, b, a), both, "whichever comes first")
    same(call(compacted, (), [*more, *some]), both, "the same dots at once are the same history")


def shown(dots):
    return " ".join(f"{dot.actor}:{dot.count}" for dot in sorted(set(dots))) or "nothing"


# -- writing -------------------------------------------------------------------------------------


def check_the_first_write_of_a_key():
    """Where nothing was held there is one sibling, with the actor's first dot, and it has been seen.

    Likely: None is no copy, and has no context: take it for Siblings(NOTHING, ()).
    """
    begin()
    copy, seen = call(written, None, NOTHING, X, b"milk", 7, 900)
    same(copy, Siblings(Context(((X, 1),)), (Sibling(Dot(X, 1), b"milk", 7, 900),)))
    same(seen, Context(((X, 1),)), "the writer has seen his own write")


def check_a_write_replaces_what_its_writer_had_seen():
    """Whoever has seen the siblings replaces them; the replica still knows of them.

    Likely: the new context is the writer's alone. The replica has to remember what was replaced, or a copy
    that missed it brings it back.
    """
    one, seen = alone(written, None, NOTHING, X, b"milk", 0)
    two, _ = alone(written, one, seen, Y, b"bread", 0)
    same(two, Siblings(Context(((X, 1), (Y, 1))), (Sibling(Dot(Y, 1), b"bread", 0),)))


def check_a_write_replaces_nothing_that_its_writer_had_not_seen():
    """What the writer had not seen stays beside his write, also where both have one actor.

    Likely: clocks are compared, and x:2 is after x:1. That says whose number is greater, and not what the
    writer knew. Ask of each sibling whether the context contains its dot.
    """
    replica = "the replica is given the writer's context. It keeps its own, and has seen the new dot as well."
    writer = (
        "the writer is given the replica's context. His next write would replace what he was never shown."
    )
    one, _ = alone(written, None, NOTHING, X, b"milk", 0)
    two, seen = alone(written, one, NOTHING, X, b"bread", 0)
    same([sibling.value for sibling in two.siblings], [b"milk", b"bread"], "nobody had seen the milk")
    same(two.context, Context(((X, 2),)), "the replica has seen both", replica)
    same(seen, Context((), (Dot(X, 2),)), "the writer has not seen x:1, and is not taken to have", writer)


def check_the_replica_numbers_the_write_after_all_it_knows():
    """The dot follows the last that the replica or the writer knows of its actor.

    Likely: it is numbered by the writer's context. Who has seen nothing would write x:1 again, and two writes
    of one name are one write.
    """
    held = Siblings(Context(((X, 3),)), (Sibling(Dot(X, 3), b"milk", 0),))
    copy, _ = alone(written, held, NOTHING, X, b"bread", 0)
    same([sibling.dot for sibling in copy.siblings], [Dot(X, 3), Dot(X, 4)], "the replica knows of x:3")
    copy, _ = alone(written, None, Context(((X, 3),)), X, b"bread", 0)
    replica = "it is numbered by what the replica holds, and that may be less than its own client has read."
    same([sibling.dot for sibling in copy.siblings], [Dot(X, 4)], "the writer has read x:3", replica)


def check_a_replica_learns_from_the_writer():
    """What the writer had seen elsewhere has been seen here too: it is replaced, wherever it is.

    Likely: the replica's context is given the new dot alone. A copy of what was replaced comes by, its dot is
    news here, and it stays beside the write of somebody who had read it.
    """
    begin()
    read = Siblings(Context(((Y, 1),)), (Sibling(Dot(Y, 1), b"milk", 0),))
    copy, _ = call(written, None, read.context, X, b"milk and bread", 0)
    same(copy.context, Context(((X, 1), (Y, 1))), "the writer had read y:1 by another replica")
    same(call(merged, copy, read), copy)


def check_a_delete_is_a_write_of_a_tombstone():
    """A delete leaves a sibling without a value, and the context.

    Likely: what is deleted is simply left out. Then nothing tells a copy that missed the delete of it.
    """
    one, seen = alone(written, None, NOTHING, X, b"milk", 0)
    gone, _ = alone(written, one, seen, X, None, 5)
    same(gone, Siblings(Context(((X, 2),)), (Sibling(Dot(X, 2), None, 5),)))


def check_two_writers_in_turn_leave_two_siblings_and_not_99():
    """Two writers in turn, fifty times each, neither of them reading: each replaces his own last value.

    Likely: a writer who has not seen everything is taken to have seen nothing, so that all is kept; or to
    have seen all, so that the other's value is lost. He has seen his own writes: look at the dots.
    """
    begin()
    held, contexts, said = None, {"ann": NOTHING, "ben": NOTHING}, []
    for i in range(50):
        for writer in contexts:
            said.append(f"{writer} {i}".encode())
            held, contexts[writer] = call(written, held, contexts[writer], X, said[-1], 0)
            got = [sibling.value for sibling in held.siblings]
            same(got, said[-2:], "each writer has seen what he wrote himself, and nothing of the other's")


# -- merging -------------------------------------------------------------------------------------

OLD = Siblings(Context(((X, 1),)), (Sibling(Dot(X, 1), b"old", 0),))
NEW = Siblings(Context(((X, 1), (Y, 1))), (Sibling(Dot(Y, 1), b"new", 0),))


def check_what_was_replaced_on_one_side_goes():
    """If the other copy has seen a sibling and does not have it, it goes: the later write replaced it.

    Likely: the union of the siblings. Then nothing that a replica missed ever goes away.
    """
    same(alone(merged, OLD, NEW), NEW)
    same(alone(merged, NEW, OLD), NEW, "whichever comes first")


def check_what_the_other_has_not_seen_stays():
    """Writes that did not know of each other stay side by side, in the order of their dots.

    Likely: one copy wins as a whole. Of two concurrent histories neither has what the other has.
    """
    begin()
    milk = Siblings(Context(((Y, 1),)), (Sibling(Dot(Y, 1), b"milk", 0),))
    bread = Siblings(Context(((X, 1),)), (Sibling(Dot(X, 1), b"bread", 9),))
    both = Siblings(Context(((X, 1), (Y, 1))), (bread.siblings[0], milk.siblings[0]))
    same(alone(merged, milk, bread), both)
    same(alone(merged, bread, milk), both)


def check_part_of_a_copy_can_be_news():
    """Of several siblings some go and others stay: each is asked for by itself.

    Likely: the contexts are compared as wholes, and the later copy is taken. Here neither is the later.
    """
    begin()
    a = Siblings(
        Context(((X, 2), (Y, 1))), (Sibling(Dot(X, 2), b"replaces x:1", 0), Sibling(Dot(Y, 1), b"y", 0))
    )
    b = Siblings(Context(((X, 1), (Z, 1))), (Sibling(Dot(X, 1), b"replaced", 0), Sibling(Dot(Z, 1), b"z", 0)))
    got = call(merged, a, b)
    same([sibling.dot for sibling in got.siblings], [Dot(X, 2), Dot(Y, 1), Dot(Z, 1)])
    same(got.context, Context(((X, 2), (Y, 1), (Z, 1))))


def check_a_key_that_one_has_never_heard_of():
    """None has seen nothing: merged with it, a copy is what it was.

    Likely: None is taken for an empty copy that has replaced everything.
    """
    same(alone(merged, None, OLD), OLD)
    same(alone(merged, OLD, None), OLD)
    same(alone(merged, None, None), None)


def check_what_has_expired_on_one_side_has_expired():
    """Of one write in two forms the tombstone stays, whichever comes first.

    Likely: the first one found is taken. The two replicas would each keep their own for ever.
    """
    there = Siblings(Context(((X, 1),)), (Sibling(Dot(X, 1), b"milk", 0, 500),))
    gone = Siblings(Context(((X, 1),)), (Sibling(Dot(X, 1), None, 0),))
    same(alone(merged, there, gone), gone)
    same(alone(merged, gone, there), gone)


def histories():
    """What three writers do at three replicas, by chance; short histories first, so that such a one fails."""
    for i, seed in enumerate(seeds(160)):
        random = Random(seed)
        doing = ("write", "write", "merge", "merge", "read")
        yield [(random.randrange(3), random.randrange(3), random.choice(doing)) for _ in range(3 + i // 10)]


def played(history):
    """Three replicas and three writers, who write, read and merge; what each copy should be, as sets.

    A replica numbers its writes under its own name, and by its own copy.
    """
    copies, contexts = [None] * 3, [NOTHING] * 3
    replaced = {}  # of each write, those that it replaced, and what these had replaced
    met, known = [set() for _ in ACTORS], [set() for _ in ACTORS]  # by replica, by writer
    for i, (replica, other, what) in enumerate(history):
        held = copies[replica]
        if what == "write":
            value = b"v%d" % i
            copy, contexts[other] = call(written, held, contexts[other], ACTORS[replica], value, 0)
            copies[replica] = copy
            replaced[value] = set(known[other])
            met[replica].add(value)
            met[replica] |= known[other]
            known[other].add(value)
        elif what == "read" and held is not None:
            contexts[other] = call(joined, contexts[other], held.context)
            known[other] |= met[replica]
        elif what == "merge" and replica != other:
            copies[replica] = call(merged, held, copies[other])
            met[replica] |= met[other]
    return copies, met, replaced


def check_whatever_was_written_it_is_there_until_somebody_who_saw_it_writes():
    """A copy has what it has met and nobody who had seen it has replaced, whatever was done.

    Likely: one of the rules above, in a case that its check has not met.
    """
    for history in histories():
        begin()
        copies, met, replaced = played(history)
        for copy, writes in zip(copies, met, strict=True):
            gone = set().union(*(replaced[value] for value in writes))
            got = {sibling.value for sibling in copy.siblings} if copy is not None else set()
            same(sorted(got), sorted(writes - gone), "of the three copies, this is one")


def check_the_order_of_merging_does_not_matter():
    """merged is commutative, associative and idempotent, to the byte.

    Likely: siblings stand in the order in which they came; or something is decided by who is a and who is b.
    """
    for history in histories():
        begin()
        a, b, c = played(history)[0]
        both = call(merged, a, b)
        same(call(merged, b, a), both, "commutative")
        same(call(merged, both, b), both, "idempotent")
        bc = call(merged, b, c)
        same(call(merged, a, bc), call(merged, both, c), "associative")


# -- in a cluster --------------------------------------------------------------------------------


def check_ann_and_ben_both_keep_what_they_put_in():
    """Two carts, a wrong clock, and nothing is lost: who has seen both replaces both.

    Likely: stamps decide somewhere. Nothing here may look at stamp_ms.
    """
    play("""
        cluster stage=6 nodes=4 seed=6
        put     cart:42 milk via cart:42#1
        put     cart:42 bread via cart:42#3
        expect  siblings cart:42 = 2
        skew    cart:42#2 -1m
        get     cart:42 via cart:42#2
        put     cart:42 "milk, bread, eggs" via cart:42#2
        expect  get cart:42 via cart:42#1 = "milk, bread, eggs"
        check   all-siblings
    """)


def check_a_delete_that_was_missed_is_not_undone():
    """A replica that was away during a delete does not bring the value back.

    Likely: the tombstone's context does not name what was deleted.
    """
    play("""
        cluster stage=6 nodes=4 seed=6
        put     k milk via k#1 w=3
        partition k#3 | k#1 k#2 k#out
        del     k via k#1
        heal
        expect  k at k#3 = milk
        get     k via k#out r=3
        wait    until k at k#3 = missing
        check   no-resurrection
    """)


def check_a_replica_that_lost_its_disk_loses_no_write():
    """A coordinator that comes back with nothing does not number a write like one that there was.

    Likely: next_dot ignores the name it is given. A node that has forgotten its writes is a new actor.
    """
    play("""
        cluster stage=6 nodes=4 durable=on seed=6
        put     k one via k#1
        put     k two via k#1
        put     k three via k#1
        wait    100ms
        kill    k#1
        restart k#1 empty
        put     k four via k#1 blind
        expect  result = ok
        wait    100ms
        check   all-siblings
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults and many clients it keeps what stage 6 claims.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    hold(ClusterConfig(stage=6, nodes=4, n=3, r=2, w=2, timeout_ms=200), 4)
