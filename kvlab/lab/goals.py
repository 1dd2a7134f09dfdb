"""What each stage is about, and how to see it: one sentence a stage, short enough for 80 columns."""

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
