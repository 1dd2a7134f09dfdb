"""The ring and the preference lists: properties first, the outside oracle for the hash second."""

from __future__ import annotations

import struct
from statistics import mean, pstdev

import mmh3
from hypothesis import given
from hypothesis import strategies as st

from kvlab.core.hashing import RING_SIZE, token
from kvlab.core.placement import Placement, heirs
from kvlab.core.ring import Ring, joined, left
from kvlab.messages import Member, NodeId, RingSpec

KEYS = [b"key%d" % i for i in range(3000)]


def spec_of(nodes: int, *, zones: int = 1, vnodes: int = 16) -> RingSpec:
    members = tuple(Member(NodeId(f"n{i + 1}"), f"z{i % zones + 1}") for i in range(nodes))
    return RingSpec(0, members, vnodes)


@st.composite
def specs(draw: st.DrawFn) -> RingSpec:
    nodes = draw(st.integers(3, 12))
    members = tuple(
        Member(NodeId(f"n{i + 1}"), f"z{draw(st.integers(1, 4))}", draw(st.integers(1, 3)))
        for i in range(nodes)
    )
    return RingSpec(0, members, draw(st.integers(1, 24)))


def test_the_hash_is_murmur3_x64_128() -> None:
    """The verification value that MurmurHash3's own test suite (SMHasher) expects of it."""
    hashes = b"".join(
        struct.pack("<QQ", *mmh3.hash64(bytes(range(i)), 256 - i, signed=False)) for i in range(256)
    )
    assert mmh3.hash_bytes(hashes, 0)[:4] == struct.pack("<I", 0x6384BA69)
    assert token(b"kvlab") == mmh3.hash64(b"kvlab", 0, True, signed=False)[0]


@given(specs(), st.binary())
def test_the_owner_is_the_node_of_the_next_token_clockwise(spec: RingSpec, key: bytes) -> None:
    ring = Ring(spec)
    at = token(key)
    clockwise = sorted(ring.tokens(), key=lambda pair: (pair[0] - at) % RING_SIZE)
    assert ring.owner(key) == clockwise[0][1]


@given(specs(), st.randoms(use_true_random=False))
def test_the_order_of_joining_does_not_matter(spec: RingSpec, random: st.DataObject) -> None:
    members = list(spec.members)
    random.shuffle(members)  # type: ignore[attr-defined]
    other = Ring(RingSpec(0, tuple(members), spec.vnodes))
    assert other.tokens() == Ring(spec).tokens()


@given(specs(), st.integers(1, 3))
def test_a_newcomer_takes_keys_and_nobody_else_does(spec: RingSpec, weight: int) -> None:
    before = Ring(spec)
    after = Ring(joined(spec, Member(NodeId("n99"), "z1", weight)))
    for key in KEYS[:300]:
        assert after.owner(key) in (before.owner(key), "n99")


def test_a_newcomer_takes_about_its_share() -> None:
    spec = spec_of(9, vnodes=128)
    before, after = Ring(spec), Ring(joined(spec, Member(NodeId("n10"))))
    moved = sum(before.owner(key) != after.owner(key) for key in KEYS)
    assert 0.06 < moved / len(KEYS) < 0.14  # a tenth


def test_joining_and_leaving_again_restores_every_owner() -> None:
    spec = spec_of(5)
    there_and_back = Ring(left(joined(spec, Member(NodeId("n6"))), NodeId("n6")))
    assert there_and_back.tokens() == Ring(spec).tokens()
    assert there_and_back.epoch == 2


def test_more_virtual_nodes_balance_the_load() -> None:
    """The coefficient of variation falls about as 1/sqrt(v): theory gives .87 .24 .12 .06 for ten nodes."""

    def variation(vnodes: int) -> float:
        shares = list(Ring(spec_of(10, vnodes=vnodes)).shares().values())
        return pstdev(shares) / mean(shares)

    one, sixteen, many = variation(1), variation(16), variation(256)
    assert one > 0.4
    assert 0.1 < sixteen < 0.4
    assert many < 0.12


def test_a_weight_of_two_takes_twice_the_keys() -> None:
    members = (Member(NodeId("n1"), "z1", 2), Member(NodeId("n2")), Member(NodeId("n3")))
    shares = Ring(RingSpec(0, members, 256)).shares()
    assert abs(sum(shares.values()) - 1) < 1e-9
    assert 0.42 < shares[NodeId("n1")] < 0.58


@given(specs(), st.integers(1, 5), st.binary())
def test_a_preference_list_has_distinct_nodes_and_begins_with_the_owner(
    spec: RingSpec, n: int, key: bytes
) -> None:
    ring = Ring(spec)
    replicas = Placement(ring, n).replicas(key)
    assert len(replicas) == len(set(replicas)) == min(n, len(spec.members))
    assert replicas[0] == ring.owner(key)


@given(specs(), st.integers(1, 5), st.binary())
def test_no_zone_gets_a_second_copy_while_another_has_none(spec: RingSpec, n: int, key: bytes) -> None:
    ring = Ring(spec)
    zones = [ring.members[node].zone for node in Placement(ring, n).replicas(key)]
    assert len(set(zones)) == min(n, len({member.zone for member in spec.members}), len(zones))


@given(specs(), st.binary())
def test_without_zones_the_replicas_are_the_next_distinct_nodes_clockwise(spec: RingSpec, key: bytes) -> None:
    members = tuple(Member(member.node, "z1", member.weight) for member in spec.members)
    ring = Ring(RingSpec(0, members, spec.vnodes))
    walk = list(dict.fromkeys(ring.clockwise(ring.slot(key))))
    assert Placement(ring, 3).replicas(key) == walk[:3]


@given(specs(), st.integers(1, 3), st.binary(), st.sampled_from(["z1", "z9"]))
def test_every_node_that_gains_a_key_has_a_source_that_held_it(
    spec: RingSpec, n: int, key: bytes, zone: str
) -> None:
    after = joined(spec, Member(NodeId("n99"), zone))
    for one, other in ((spec, after), (after, spec)):
        old = Placement(Ring(one), n).replicas(key)
        new = Placement(Ring(other), n).replicas(key)
        pairs = heirs(old, new)
        assert {heir for _, heir in pairs} == set(new) - set(old)
        assert all(source in old for source, _ in pairs)
        assert set(old) - set(new) <= {source for source, _ in pairs}


def test_a_dead_node_is_nobodys_source() -> None:
    n1, n2, n3, n4 = (NodeId(f"n{i}") for i in range(1, 5))
    assert heirs([n1, n2, n3], [n1, n2, n4], dead=[n3]) == [(n1, n4)]
    assert heirs([n1], [n2], dead=[n1]) == []
