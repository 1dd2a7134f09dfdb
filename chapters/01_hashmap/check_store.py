"""The checks of chapter 1: a store against what its lesson says, call by call, and in a node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from store import Store, footprint

from kvlab.course.checking import call, play, raises, same, true, watch
from kvlab.course.given import OVERHEAD_BYTES
from kvlab.errors import ItemTooLarge
from kvlab.messages import Item, Key

A, B, C, D = b"a", b"b", b"c", b"d"
ENTRY = OVERHEAD_BYTES + 2  # a key of one byte and a value of one byte


def check_footprint_counts_key_value_and_overhead():
    """An entry costs its key, its value and the overhead of an entry.

    Likely: the key takes memory too; with short values it is most of what there is.
    """
    same(call(footprint, b"user:ann", Item(b"Sofia")), OVERHEAD_BYTES + 8 + 5)


def check_what_was_put_is_found():
    """What was put is found under its key, and under no other.

    Likely: the store keeps the value alone; it has to give back the whole item, expiry and all.
    """
    store = watch(Store)
    store.put(A, Item(b"1"), 0)
    store.put(B, Item(b"2", 500), 0)
    same(store.get(A, 10), Item(b"1"))
    same(store.get(B, 10), Item(b"2", 500))
    same(store.get(C, 10), None)
    same(len(store), 2)


def check_a_later_put_replaces_an_earlier_one():
    """A key has one item: the last that was put.

    Likely: with the value its expiry is replaced as well; a SET without a TTL makes a key live for ever.
    """
    store = watch(Store)
    store.put(A, Item(b"1", 100), 0)
    store.put(A, Item(b"2"), 0)
    same(store.get(A, 1000), Item(b"2"))
    same(len(store), 1)


def check_remove_says_whether_the_key_was_there():
    """remove forgets the key, and says whether there was anything to forget."""
    store = watch(Store)
    store.put(A, Item(b"1"), 0)
    same(store.remove(A), True)
    same(store.get(A, 0), None)
    same(store.remove(A), False, "it is gone already")


def check_an_item_is_gone_at_its_expiry():
    """An item is there until its expires_ms, and at that millisecond it is gone.

    Likely: `<` where it has to be `<=`. With `<`, an item with a TTL of 5 ms is found for 6 of them.
    """
    store = watch(Store)
    store.put(A, Item(b"1", 100), 0)
    same(store.get(A, 99), Item(b"1", 100), "it has a millisecond left")
    same(store.get(A, 100), None, "expires_ms is the first millisecond at which it is gone")
    store.put(B, Item(b"1", 0), 0)
    never = "`if expires_ms` takes 0 for None. 0 is a moment like any other; None alone means for ever."
    same(store.get(B, 0), None, "its expires_ms is 0, and it is 0 ms", never)


def check_an_expired_item_is_forgotten_when_it_is_met():
    """A get that meets an expired item forgets it, so that it takes no memory any more.

    Likely: get returns None, and the item stays where it was: a cache that nobody empties.
    """
    store = watch(Store)
    store.put(A, Item(b"1", 100), 0)
    same(store.get(A, 200), None)
    same(len(store), 0)
    same(store.bytes, 0)


def check_collect_forgets_what_has_expired():
    """collect forgets all that has expired and nothing else, and counts it.

    Likely: a dict must not change while one goes through it: collect the keys first, then remove them.
    """
    store = watch(Store)
    for key, expires_ms in ((A, 100), (B, 200), (C, None), (D, 100)):
        store.put(key, Item(b"1", expires_ms), 0)
    same(store.collect(150), 2)
    same(len(store), 2)
    same(store.keys(150), [B, C])
    same(store.collect(150), 0, "there is nothing left to collect")
    store = watch(Store)
    for key, first, last in ((A, 100, None), (B, None, 100), (C, 50, 200)):
        store.put(key, Item(b"1", first), 0)
        store.put(key, Item(b"2", last), 0)
    stale = "a heap of expiries names a key also for an item that was overwritten: look at what is held now."
    same(store.collect(100), 1, "what counts is the item that a key has now; b's alone has expired", stale)
    same(store.keys(100), [A, C], "", stale)


def check_keys_names_the_living_in_order_of_use():
    """keys lists what has not expired, the one that was not used for longest first.

    Likely: a dict keeps the order in which keys first came; a put of a key that is there does not move it.
    """
    store = watch(Store, 10 * ENTRY)
    for key in (A, B, C):
        store.put(key, Item(b"1"), 0)
    store.get(A, 0)
    same(store.keys(0), [B, C, A], "a get is a use")
    store.put(B, Item(b"2"), 0)
    same(store.keys(0), [C, A, B], "and so is a put")
    store.put(C, Item(b"3", 100), 0)
    same(store.keys(100), [A, B], "c has expired")


def check_the_coldest_is_evicted():
    """When the budget is exceeded, what was not used for longest goes, and no more than has to.

    Likely: first in, first out. To evict by age throws out what is asked for most.
    """
    store = watch(Store, 3 * ENTRY)
    for key in (A, B, C):
        store.put(key, Item(b"1"), 0)
    store.get(A, 0)
    store.put(D, Item(b"1"), 0)
    same(store.get(B, 0), None, "b was not used for longest")
    same(store.keys(0), [C, A, D])


def check_one_large_item_may_evict_several():
    """As many go as have to, until all fits again.

    Likely: `if` where it has to be `while`: one eviction need not make room enough.
    """
    store = watch(Store, 3 * ENTRY)
    for key in (A, B, C):
        store.put(key, Item(b"1"), 0)
    store.put(D, Item(bytes(ENTRY)), 0)
    same(store.keys(0), [C, D])
    true(store.bytes <= 3 * ENTRY, f"{3 * ENTRY} bytes at most", store.bytes)


def check_the_expired_go_before_the_cold():
    """Before anything is evicted, what has expired is forgotten: it is of use to nobody.

    Likely: eviction looks at the order of use alone, and throws out a living item while a dead one stays.
    """
    store = watch(Store, 3 * ENTRY)
    store.put(A, Item(b"1"), 0)
    store.put(B, Item(b"2", 100), 0)
    store.put(C, Item(b"3"), 0)
    store.put(D, Item(b"4"), 100)
    same(store.keys(100), [A, C, D], "b has expired, and makes room enough")


def check_peek_leaves_no_trace():
    """peek finds what get finds, forgets nothing, and is no use of the item.

    Likely: peek calls get. Whoever looks at a cache from outside, to show it, would change what it evicts.
    """
    store = watch(Store)
    same(store.peek(A, 0), None, likely="a key that is not there is taken for an item that may have expired.")
    store.put(A, Item(b"1", 100), 0)
    same(store.peek(A, 50), Item(b"1", 100))
    same(store.peek(A, 100), None, "it has expired")
    same(len(store), 1, "to look at it is not to collect it")
    store = watch(Store, 2 * ENTRY)
    store.put(A, Item(b"1"), 0)
    store.put(B, Item(b"2"), 0)
    store.peek(A, 0)
    store.put(C, Item(b"3"), 0)
    same(store.keys(0), [B, C], "a was looked at, and not used: it goes first")


def check_an_item_above_the_budget_is_refused():
    """An entry that alone is above the budget raises ItemTooLarge, and changes nothing.

    Likely: the check comes after the store was changed, so that a refused put has emptied the cache, or has
    taken away the old item of the key.
    """
    store = watch(Store, 2 * ENTRY)
    store.put(A, Item(b"1"), 0)
    raises(ItemTooLarge, lambda: store.put(A, Item(bytes(2 * ENTRY)), 0))
    same(store.get(A, 0), Item(b"1"), "nothing has changed")
    same(store.bytes, ENTRY)
    store = watch(Store, ENTRY)
    store.put(A, Item(b"1"), 0)
    same(store.bytes, ENTRY, "an entry as large as the budget fits", "`>=` where it has to be `>`.")
    store = watch(Store, 0)
    none = "`if budget_bytes` takes 0 for None. A budget of 0 has room for nothing."
    raises(ItemTooLarge, lambda: store.put(A, Item(b"1"), 0), likely=none)


keys = st.sampled_from([A, B, C, D, b"e"])
steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "get", "remove", "collect"]),
        keys,
        st.integers(0, 40),
        st.none() | st.integers(1, 3),
    ),
    max_size=20,
)


@given(steps)
def check_bytes_are_what_is_held(steps):
    """`bytes` is the sum of the footprints of all that is held, and never above the budget.

    Likely: a put over an old item adds the new footprint, and the old one is never taken away; or an
    eviction forgets the item and not its bytes.
    """
    budget = 3 * ENTRY + 20
    store = watch(Store, budget)
    held: dict[Key, Item] = {}
    now_ms = 0
    for now_ms, (kind, key, size, lives_ms) in enumerate(steps, start=1):
        match kind:
            case "put":
                item = Item(bytes(size), None if lives_ms is None else now_ms + lives_ms)
                store.put(key, item, now_ms)
                held[key] = item
            case "get":
                store.get(key, now_ms)
            case "remove":
                store.remove(key)
                held.pop(key, None)
            case "collect":
                store.collect(now_ms)
        living = {key: held[key] for key in store.keys(now_ms) if key in held}
        if len(store) == len(living):  # nothing is held that has expired
            same(store.bytes, sum(OVERHEAD_BYTES + len(k) + i.size for k, i in living.items()))
        else:
            true(store.bytes <= budget, f"{budget} bytes at most", store.bytes)


REASONS = {
    "put": {"put", "expired", "evicted"},
    "get": {"expired"},
    "remove": {"deleted"},
    "collect": {"expired"},
}


@given(steps)
def check_whoever_listens_knows_what_is_held(steps):
    """Every change is told, once: whoever notes what is told knows what the store holds.

    Likely: what expires or is evicted is taken out of the dict directly, and nobody is told. The lab and a
    durable node's disk know of the store only what it tells.
    """
    heard: dict[Key, Item] = {}
    twice: list[Key] = []
    reasons: set[str] = set()

    def listener(key: Key, item: Item | None, why: str) -> None:
        reasons.add(why)
        if item is not None:
            heard[key] = item
        elif heard.pop(key, None) is None:
            twice.append(key)

    store = watch(Store, 3 * ENTRY + 20, listener)
    now_ms = 0
    for now_ms, (kind, key, size, lives_ms) in enumerate(steps, start=1):
        reasons.clear()
        match kind:
            case "put":
                store.put(key, Item(bytes(size), None if lives_ms is None else now_ms + lives_ms), now_ms)
            case "get":
                store.get(key, now_ms)
            case "remove":
                store.remove(key)
            case "collect":
                store.collect(now_ms)
        same(len(store), len(heard), f"it has told of {len(heard)} keys that they are held")
        true(not twice, "a key that goes is told of once", twice)
        true(
            reasons <= REASONS[kind],
            f"a {kind} tells of nothing but {' and '.join(sorted(REASONS[kind]))}",
            sorted(reasons),
            likely="an old item is removed, and told as deleted, before the new one takes its place; or it "
            "goes for one reason and another is told.",
        )
    same(sorted(store.keys(now_ms)), sorted(k for k, i in heard.items() if i.expired(now_ms) is not None))


def check_it_serves_in_a_node():
    """In a node of stage 1 it keeps, expires and evicts, as a client sees it."""
    play("""
        cluster stage=1 memory=1kb seed=1
        put     cart:42 milk
        expect  get cart:42 = milk
        put     session:ann secret ttl=500ms
        expect  get session:ann = secret
        wait    600ms
        expect  get session:ann = missing
        expect  keys at n1 = 1
        load    200/s for 200ms reads=0% keys=40
        expect  keys at n1 < 20
        del     cart:42
        expect  get cart:42 = missing
    """)
