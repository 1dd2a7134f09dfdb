"""What each stage is about, and how to see it: one sentence a stage, short enough for 80 columns.

And in a few words, for a list of all nine.
"""

from __future__ import annotations

GOALS = {
    1: "One dict in one process is fast. Kill the node, and see what is left.",
    2: "Cut the network: cp takes no writes until it heals, ap pays afterwards.",
    3: "Add a node and see how few keys move to it; kill one and lose its keys.",
    4: "Kill a replica: the others have the key, but a write waits for them all.",
    5: "Slow one replica: a write no longer waits for it; a read then mends it.",
    6: "Two clients write without reading: both values stay, as siblings.",
    7: "Kill a node, and watch who finds out when.",
    8: "Kill a replica and write: a stand-in keeps a hint, and brings it home.",
    9: "Kill a node, restart it empty, read nothing: its replicas mend it.",
}

BRIEFLY = {
    1: "one dict in one process",
    2: "mirrors, and a choice",
    3: "each key has its node",
    4: "each key has n copies",
    5: "w write, r read",
    6: "conflicts are kept",
    7: "who is alive is told on",
    8: "stand-ins keep hints",
    9: "replicas compare trees",
}
