"""Chapter 4: the preference list, which says on which nodes the copies of a key are.

Write `preference_list`. The reference takes about 15 lines. `kvlab check 4` says how far you are and shows
the smallest ring on which something is wrong; `kvlab lab 4 --mine` runs a cluster that goes by your lists.
"""

from __future__ import annotations

from kvlab.core.ring import Ring
from kvlab.messages import NodeId


def preference_list(ring: Ring, slot: int, n: int) -> list[NodeId]:
    """The n distinct nodes for the keys of this slot, nearest first, in as many zones as can be.

    You have `ring.clockwise(slot)`, which names the node of each token, once round the circle from this slot
    on; a node comes as often as it has tokens. And `ring.members[node].zone`, where a node stands.
    `ring.members` has every node, and not in the order of the circle.

    Going clockwise, a node is taken that is not on the list yet; but no zone is given a second copy as long
    as another zone has none. When every zone has one, the nearest of the nodes that were passed over are
    taken. In whatever order they were found, the list is in the order of the walk, nearest first.

    If there are fewer than n nodes, it has them all. It stops walking when it knows the list: on a ring of a
    thousand tokens that is usually after a handful. Nothing is raised: n is at least 1, and so are the nodes.

    The checks have rings that can be walked with a finger: Circle("n1 n2 n1 n3", "z1 z2 z2") has four tokens,
    clockwise from slot 0, of which the first and the third are n1's; n1 stands in z1, n2 and n3 in z2.
    """
    raise NotImplementedError
