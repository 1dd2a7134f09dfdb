"""Who stands in for a home replica that is away: DeCandia et al. 2007, sections 4.3 and 4.6."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.placement import Placement
from kvlab.core.ring import Ring
from kvlab.messages import Member, NodeId, RingSpec


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Placement, list[NodeId]]:
    """A placement, and which of its nodes are healthy."""
    members = tuple(
        Member(NodeId(f"n{i + 1}"), f"z{draw(st.integers(1, 4))}", draw(st.integers(1, 3)))
        for i in range(draw(st.integers(3, 12)))
    )
    ring = Ring(RingSpec(0, members, draw(st.integers(1, 24))))
    healthy = [node for node in ring.members if draw(st.booleans())]
    return Placement(ring, draw(st.integers(1, len(members)))), healthy


def placement_of(zones: str, n: int) -> Placement:
    """n1, n2, ... in these zones: "ab" is n1 in a and n2 in b."""
    members = tuple(Member(NodeId(f"n{i + 1}"), zone) for i, zone in enumerate(zones))
    return Placement(Ring(RingSpec(0, members, 16)), n)


@given(clusters(), st.binary())
def test_no_node_is_given_two_copies(cluster: tuple[Placement, list[NodeId]], key: bytes) -> None:
    placement, healthy = cluster
    places = [node for _, node in placement.stand_ins(key, healthy)]
    assert len(set(places)) == len(places) == placement.n


@given(clusters(), st.binary())
def test_as_many_healthy_nodes_get_a_copy_as_there_are(
    cluster: tuple[Placement, list[NodeId]], key: bytes
) -> None:
    placement, healthy = cluster
    places = [node for _, node in placement.stand_ins(key, healthy)]
    assert len([node for node in places if node in healthy]) == min(placement.n, len(healthy))


@given(clusters(), st.binary())
def test_home_replicas_come_in_order_and_the_healthy_ones_keep_their_places(
    cluster: tuple[Placement, list[NodeId]], key: bytes
) -> None:
    placement, healthy = cluster
    pairs = placement.stand_ins(key, healthy)
    homes = placement.replicas(key)
    assert [home for home, _ in pairs] == homes
    for home, node in pairs:
        assert node == home if home in healthy else node == home or node not in homes


@given(clusters(), st.binary(), st.randoms(use_true_random=False))
def test_who_sees_the_same_nodes_healthy_chooses_the_same_stand_ins(
    cluster: tuple[Placement, list[NodeId]], key: bytes, random: st.DataObject
) -> None:
    """Whatever order it has them in: a read finds the hint where a write has left it."""
    placement, healthy = cluster
    mixed = list(healthy)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    again = Placement(Ring(placement.ring.spec), placement.n)
    assert again.stand_ins(key, mixed) == placement.stand_ins(key, healthy)


@given(clusters(), st.binary())
def test_a_stand_in_brings_a_zone_that_has_no_copy_if_one_is_left(
    cluster: tuple[Placement, list[NodeId]], key: bytes
) -> None:
    placement, healthy = cluster
    zone = {node: member.zone for node, member in placement.ring.members.items()}
    places: list[NodeId] = [home for home in placement.replicas(key) if home in healthy]
    for home, node in placement.stand_ins(key, healthy):
        if home in healthy or node == home:
            continue
        free = [n for n in healthy if n not in places and n not in placement.replicas(key)]
        unused = [n for n in free if zone[n] not in [zone[place] for place in places]]
        assert node in (unused or free)
        places.append(node)


def test_in_one_zone_the_stand_in_is_the_next_node_clockwise() -> None:
    placement = placement_of("aaaaaa", n=3)
    order = list(dict.fromkeys(placement.ring.clockwise(placement.ring.slot(b"cart:42"))))
    first, second, third, fourth, fifth, _ = order
    healthy = [node for node in order if node not in (second, fourth)]
    assert placement.stand_ins(b"cart:42", healthy) == [(first, first), (second, fifth), (third, third)]


def test_with_nobody_left_to_stand_in_a_replica_keeps_its_own_place() -> None:
    placement = placement_of("aaa", n=3)
    homes = placement.replicas(b"cart:42")
    assert placement.stand_ins(b"cart:42", homes[:2]) == [(home, home) for home in homes]
