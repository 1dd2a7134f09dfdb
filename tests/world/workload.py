"""A run that has everything in it, and its digest. Also a program: prints the digests of some seeds.

    python -m tests.world.workload 1 2 3 [perturb]

`perturb` first fills the heap with objects of odd sizes, so that addresses, and with them every hash
by address, differ from those of an undisturbed run.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys

import msgspec

from kvlab.config import ClusterConfig
from kvlab.errors import RingChangeFailed
from kvlab.trace.events import AnyEvent
from kvlab.world.sim import SimWorld
from kvlab.world.world import World


async def everything(world: World) -> None:
    """Writes, reads and deletes by three clients, through faults of every kind and changes of the ring."""
    async with world:

        async def client(number: int) -> None:
            for i in range(40):
                key = b"k%d" % (i % 7)
                await world.put(key, b"%d-%d" % (number, i), via=f"n{number}")
                await world.get(key, via=f"n{number % 3 + 1}")
                if i % 10 == 9:
                    await world.delete(key, via=f"n{number}")

        clients = [asyncio.ensure_future(client(number)) for number in (1, 2, 3)]
        await world.slow("n1", "n2", 20, 10)
        await world.lose("n2", "n3", 0.2)
        await world.duplicate("n1", "n3", 0.3)
        await world.sleep(0.3)
        await world.heal()
        await world.add("n6", weight=2)
        await world.pause("n4")
        await world.sleep(0.2)
        await world.resume("n4")
        await world.partition([["n1", "n2", "n3"], ["n4", "n5", "n6"]])
        try:
            await world.add("n7")
        except RingChangeFailed:
            await world.sleep(0.1)
        await world.heal()
        await world.kill("n5")
        await world.sleep(0.5)
        await world.restart("n5")
        await world.skew("n3", 5000)
        await world.remove("n4")
        await asyncio.gather(*clients)


def traced(seed: int, stage: int = 4) -> tuple[SimWorld, list[AnyEvent]]:
    """Run it; the world afterwards, and all that was told."""
    world = SimWorld(ClusterConfig(stage=stage, seed=seed, timeout_ms=200))
    told: list[AnyEvent] = []
    world.watch(told.append)
    world.run(everything(world))
    return world, told


def digest(told: list[AnyEvent]) -> str:
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def main() -> None:
    ballast = []
    if "perturb" in sys.argv:
        ballast = [bytearray(i * 37 % 4001) for i in range(20_000)]
        del ballast[::3]
    for seed in [int(arg) for arg in sys.argv[1:] if arg.isdecimal()]:
        print(seed, digest(traced(seed)[1]))


if __name__ == "__main__":
    main()
