"""The store against a model: a plain dict, an expiry date each, and a list in order of use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kvlab.core.store import OVERHEAD_BYTES, Store, footprint
from kvlab.errors import ItemTooLarge
from kvlab.messages import Item

BUDGET = 5 * (OVERHEAD_BYTES + 10)

keys = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g"])
values = st.binary(max_size=40)


class StoreModel(RuleBasedStateMachine):
    """Whatever is done to it, the store holds what the model holds."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[bytes, Item] = {}
        self.store: Store[Item] = Store(BUDGET, self.observe)
        self.model: dict[bytes, Item] = {}  # coldest first
        self.now_ms = 1000

    def observe(self, key: bytes, item: Item | None, why: str) -> None:
        assert (item is None) == (why != "put")
        if item is None:
            del self.told[key]
        else:
            self.told[key] = item

    @rule(key=keys, value=values, lives_ms=st.none() | st.integers(1, 50))
    def put(self, key: bytes, value: bytes, lives_ms: int | None) -> None:
        item = Item(value, None if lives_ms is None else self.now_ms + lives_ms)
        self.store.put(key, item, self.now_ms)
        self.model.pop(key, None)
        self.model[key] = item
        if sum(footprint(k, i) for k, i in self.model.items()) > BUDGET:
            self.expire()
        while sum(footprint(k, i) for k, i in self.model.items()) > BUDGET:
            del self.model[next(iter(self.model))]

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        item = self.model.get(key)
        if item is not None and item.expires_ms is not None and item.expires_ms <= self.now_ms:
            del self.model[key]
            item = None
        elif item is not None:
            self.model[key] = self.model.pop(key)
        assert self.store.get(key, self.now_ms) == item

    @rule(key=keys)
    def remove(self, key: bytes) -> None:
        held = key in self.told
        self.model.pop(key, None)
        assert self.store.remove(key) == held

    @rule(ms=st.integers(0, 60))
    def let_time_pass(self, ms: int) -> None:
        self.now_ms += ms

    @rule()
    def collect(self) -> None:
        self.store.collect(self.now_ms)
        self.expire()

    @rule()
    def list_keys(self) -> None:
        self.expire()
        assert self.store.keys(self.now_ms) == list(self.model)
        assert len(self.store) == len(self.model)

    def expire(self) -> None:
        for key, item in list(self.model.items()):
            if item.expires_ms is not None and item.expires_ms <= self.now_ms:
                del self.model[key]

    @invariant()
    def bytes_add_up_and_stay_within_the_budget(self) -> None:
        held = dict(self.store.items(0))
        assert self.store.bytes == sum(footprint(key, item) for key, item in held.items())
        assert self.store.bytes <= BUDGET

    @invariant()
    def the_observer_knows_what_is_held(self) -> None:
        assert self.told == dict(self.store.items(0))


TestStoreModel = StoreModel.TestCase


def test_an_item_is_gone_at_the_millisecond_of_its_expiry() -> None:
    store: Store[Item] = Store()
    store.put(b"k", Item(b"v", expires_ms=500), now_ms=0)
    assert store.get(b"k", 499) == Item(b"v", 500)
    assert store.get(b"k", 500) is None
    assert len(store) == 0


def test_a_later_expiry_replaces_an_earlier_one() -> None:
    store: Store[Item] = Store()
    store.put(b"k", Item(b"v", expires_ms=500), now_ms=0)
    store.put(b"k", Item(b"v", expires_ms=900), now_ms=0)
    assert store.collect(600) == 0
    assert store.get(b"k", 600) is not None
    assert store.collect(900) == 1


def test_what_is_to_expire_is_noted_once_a_key_and_not_once_a_write() -> None:
    store: Store[Item] = Store()
    for write in range(1000):
        store.put(b"k%d" % (write % 3), Item(b"v", expires_ms=10_000 + write), now_ms=0)
    assert len(store._expiries) < 50
    assert [store.collect(now_ms) for now_ms in (10_996, 10_997, 10_998, 10_999)] == [0, 1, 1, 1]


def test_what_was_used_last_is_evicted_last() -> None:
    store: Store[Item] = Store(3 * footprint(b"a", Item(b"1")))
    for key in (b"a", b"b", b"c"):
        store.put(key, Item(b"1"), 0)
    store.get(b"a", 0)
    store.put(b"d", Item(b"1"), 0)
    assert store.keys(0) == [b"c", b"a", b"d"]


def test_what_has_expired_goes_before_what_is_merely_cold() -> None:
    store: Store[Item] = Store(2 * footprint(b"a", Item(b"1")))
    store.put(b"a", Item(b"1"), 0)
    store.put(b"b", Item(b"1", expires_ms=10), 0)
    store.put(b"c", Item(b"1"), now_ms=20)
    assert store.keys(20) == [b"a", b"c"]


def test_an_item_above_the_budget_is_refused_and_evicts_nothing() -> None:
    store: Store[Item] = Store(200)
    store.put(b"k", Item(b"v"), 0)
    with pytest.raises(ItemTooLarge, match=r"take 1065 bytes and the node's memory is 200"):
        store.put(b"b", Item(b"x" * 1000), 0)
    assert store.keys(0) == [b"k"]


@given(st.lists(keys))
def test_clear_leaves_nothing(written: list[bytes]) -> None:
    store: Store[Item] = Store()
    for key in written:
        store.put(key, Item(b"v"), 0)
    assert store.clear() == len(set(written))
    assert (len(store), store.bytes) == (0, 0)


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.binary(max_size=9), st.booleans()), max_size=9),
    st.sampled_from([None, 200]),
)
def test_many_at_once_are_as_many_one_by_one(
    writes: list[tuple[bytes, bytes, bool]], budget_bytes: int | None
) -> None:
    items = [(key, Item(value, 15 if expires else None)) for key, value, expires in writes]
    one_by_one: Store[Item] = Store(budget_bytes)
    at_once: Store[Item] = Store(budget_bytes)
    for key, item in items:
        one_by_one.put(key, item, 10)
    at_once.put_all(items, 10)
    assert at_once.bytes == one_by_one.bytes
    for now_ms in (10, 20):
        keys = [b"a", b"b", b"c", b"a"]
        assert at_once.get_all(keys, now_ms) == [one_by_one.get(key, now_ms) for key in keys]
        assert at_once.bytes == one_by_one.bytes
