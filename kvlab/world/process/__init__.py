"""ProcessWorld: every node a process of its own on this machine, with TCP between them."""

from kvlab.world.process.supervisor import ProcessWorld

__all__ = ["ProcessWorld"]
