"""Counts the value alone.

Caught by: check_footprint_counts_key_value_and_overhead
"""

from solution import Store

__all__ = ["Store", "footprint"]


def footprint(key, item):
    return len(item.value)
