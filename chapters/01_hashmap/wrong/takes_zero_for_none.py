"""A budget of 0 is taken for none at all.

Caught by: check_an_item_above_the_budget_is_refused
"""

from solution import Store as Reference
from solution import footprint

__all__ = ["Store", "footprint"]


class Store(Reference):
    def __init__(self, budget_bytes=None, observer=None):
        super().__init__(budget_bytes or None, observer)
