"""The checks of chapter 4: a preference list on small circles that one can draw, and in a dying cluster."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from placement import preference_list

from kvlab.config import ClusterConfig
from kvlab.course.checking import begin, call, hold, play, same, true
from kvlab.messages import Key, Member, NodeId


class Circle(msgspec.Struct, frozen=True):
    """A ring as small as the case needs: whose the tokens are, clockwise, and where each node stands.

    Circle("n1 n2 n1", "z1 z2") has three tokens; n1 stands in z1 and n2 in z2.
    """

    tokens_of: str
    zones: str = ""

    @property
    def members(self) -> dict[NodeId, Member]:
        names = sorted(set(self.tokens_of.split()), key=lambda name: int(name[1:]))
        zones = self.zones.split() or ["z1"] * len(names)
        return {NodeId(n): Member(NodeId(n), zone) for n, zone in zip(names, zones, strict=True)}

    def slot(self, key: Key) -> int:
        return len(key) % len(self.tokens_of.split())

    def clockwise(self, slot: int) -> Iterator[NodeId]:
        tokens = self.tokens_of.split()
        for i in range(len(tokens)):
            yield NodeId(tokens[(slot + i) % len(tokens)])


def names(text: str) -> list[NodeId]:
    return [NodeId(name) for name in text.split()]


def listed(circle: Circle, slot: int, n: int) -> list[NodeId]:
    begin()
    return call(preference_list, circle, slot, n)


# -- one zone ------------------------------------------------------------------------------------


def check_one_copy_is_at_the_owner():
    """With n=1 the list is the node of the slot's own token: chapter 3.

    Likely: the walk begins at place 0, whatever the slot is.
    """
    same(listed(Circle("n1 n2 n3"), 0, 1), names("n1"))
    same(listed(Circle("n1 n2 n3"), 2, 1), names("n3"))


def check_the_next_ones_clockwise():
    """With one zone the list is the next n nodes clockwise, nearest first, past the end of the circle.

    Likely: the list is cut off at the end of the circle, or sorted by name.
    """
    same(listed(Circle("n1 n2 n3 n4"), 0, 3), names("n1 n2 n3"))
    same(listed(Circle("n1 n2 n3 n4"), 2, 3), names("n3 n4 n1"))
    same(listed(Circle("n4 n2 n3 n1"), 0, 3), names("n4 n2 n3"))


def check_no_node_is_listed_twice():
    """A node that has several of the next tokens is listed once, and the walk goes on.

    Likely: the next n tokens are taken, which may be one machine's. Or they are taken first and doubles
    thrown out afterwards: then the list is too short.
    """
    same(listed(Circle("n3 n4 n4 n2"), 0, 3), names("n3 n4 n2"), "n4 has two of the next three tokens")
    same(listed(Circle("n1 n2 n1 n2 n3"), 0, 3), names("n1 n2 n3"), "n1 comes again, and not at once")


def check_it_is_as_long_as_there_are_nodes():
    """If there are fewer than n nodes, all of them are listed.

    Likely: the walk goes on until it has n, and there are no n; or an error is raised.
    """
    same(listed(Circle("n1 n2 n1"), 1, 3), names("n2 n1"))
    same(listed(Circle("n1"), 0, 3), names("n1"))


# -- zones ---------------------------------------------------------------------------------------


def check_a_zone_is_passed_over_that_has_a_copy():
    """No zone gets a second copy while another zone has none.

    Likely: zones are not looked at; or the walk ends at n nodes, before it has come to the zones that are
    left; or a node is compared with the one before it alone, and not with all on the list.
    """
    same(listed(Circle("n1 n2 n3 n4", "z1 z1 z2 z3"), 0, 3), names("n1 n3 n4"), "n2 is in n1's zone")
    same(listed(Circle("n1 n2 n3 n4", "z1 z2 z1 z3"), 0, 3), names("n1 n2 n4"), "n3 is in n1's zone")


def check_with_fewer_zones_than_copies_it_is_as_long():
    """When every zone has a copy, the rest goes to the nearest nodes that were passed over.

    Likely: the list ends when the zones do: three copies, two zones, and the list has two nodes. Or the walk
    goes on until it has n zones, and there are no n.
    """
    same(sorted(listed(Circle("n1 n2 n3 n4", "z1 z1 z1 z2"), 0, 3)), names("n1 n2 n4"), "in any order")


def check_the_order_is_that_of_the_walk():
    """The list is in the order of the walk, also when a node was passed over at first.

    Likely: the first of each zone are listed, and the others after them. The nearest is asked first, and a
    node that was passed over and then taken is nearer than one that was found later.
    """
    same(listed(Circle("n1 n2 n3", "z1 z1 z2"), 0, 3), names("n1 n2 n3"), "n2 is nearer than n3")
    same(listed(Circle("n4 n2 n3 n1", "z1 z2 z2 z2"), 1, 3), names("n2 n3 n1"))


@st.composite
def circles(draw):
    count = draw(st.integers(1, 5))
    tokens = draw(st.lists(st.integers(1, count), min_size=1, max_size=8))
    here = sorted(set(tokens))
    zones = [f"z{draw(st.integers(1, 3))}" for _ in here]
    return Circle(" ".join(f"n{i}" for i in tokens), " ".join(zones))


@given(circles(), st.integers(0, 7), st.integers(1, 5))
def check_on_any_circle(circle, slot, n):
    """On any circle: n distinct nodes or all, in as many zones as can be, the nearest of those.

    Likely: one of the rules above, in a case that its check has not met.
    """
    slot %= len(circle.tokens_of.split())
    walk = list(dict.fromkeys(circle.clockwise(slot)))
    zones: dict[str, NodeId] = {}
    for node in walk:
        zones.setdefault(circle.members[node].zone, node)
    taken = list(zones.values())[:n]
    taken += [node for node in walk if node not in taken][: n - len(taken)]
    same(listed(circle, slot, n), [node for node in walk if node in taken])


class Steps(Circle, frozen=True):
    """One that counts how far it was walked."""

    walked: list[int] = msgspec.field(default_factory=lambda: [0])

    def clockwise(self, slot: int) -> Iterator[NodeId]:
        for node in super().clockwise(slot):
            self.walked[0] += 1
            yield node


def check_it_stops_when_it_knows():
    """It walks until the list is known, and not round the whole circle.

    Likely: the walk goes once round, and then the list is cut. With 256 tokens each on ten nodes, that is
    2,560 steps for a list of three. Or it waits for a further zone when all zones there are have a copy
    already.
    """
    for tokens, zones, n in (("n1 n2 n3 ", "z1 z1 z1", 3), ("n1 n2 n3 n4 ", "z1 z2 z1 z2", 3)):
        circle = Steps(tokens * 20, zones)
        listed(circle, 5, n)
        walked = circle.walked[0]
        true(walked <= 5, f"some {n} steps, of {20 * len(tokens.split())} tokens", walked)


# -- in a cluster --------------------------------------------------------------------------------


def check_every_replica_has_a_copy():
    """In a cluster with your lists, a write is on all three replicas, and on no other node.

    Likely: two nodes have made different lists of one key: of chance, or of the order of a set.
    """
    play("""
        cluster stage=4 nodes=5 n=3 seed=4
        put     cart:42 milk via cart:42#out
        expect  result = ok
        expect  cart:42 at cart:42#1 = milk
        expect  cart:42 at cart:42#2 = milk
        expect  cart:42 at cart:42#3 = milk
        expect  cart:42 at cart:42#out = missing
        expect  get cart:42 via n1 = milk
        expect  get cart:42 via n5 = milk
    """)


def check_any_two_may_die():
    """With three copies on three nodes, any two of them may die.

    Likely: three copies on two machines. Nothing shows it until they die.
    """
    play("""
        cluster stage=4 nodes=3 n=3 vnodes=32 timeout=100ms
        load    200/s for 200ms reads=0% keys=20
        wait    100ms
        kill    n1
        kill    n2
        check   no-lost-writes
    """)


def check_a_zone_may_die():
    """With two copies in two zones, all of one zone may die.

    Likely: the next two nodes happen to stand in one data centre, and it burns down.
    """
    play("""
        cluster stage=4 nodes=6 n=2 zones=2 timeout=100ms
        load    100/s for 200ms reads=0% keys=8
        wait    100ms
        kill    n1
        kill    n3
        kill    n5
        check   no-lost-writes
    """)


def check_copies_move_with_the_ring():
    """When nodes join and leave, each key's new replicas have what the old ones had.

    Likely: the list of one ring is made with the members of another.
    """
    play("""
        cluster stage=4 nodes=4 n=3 zones=2 vnodes=8
        load    200/s for 150ms reads=0% keys=20
        add     n5 zone=z3
        expect  keys at n5 > 15
        remove  n2
        wait    50ms
        check   no-lost-writes
        kill    n5
        check   no-lost-writes
    """)


def check_it_holds_what_its_stage_claims():
    """Under faults, many clients and changes of the ring it keeps what stage 4 claims.

    Likely: one of the rules above, in a case that its check has not met. The diagram shows which.
    """
    hold(ClusterConfig(stage=4, nodes=5, n=3, zones=2, vnodes=4, timeout_ms=200), 4)
