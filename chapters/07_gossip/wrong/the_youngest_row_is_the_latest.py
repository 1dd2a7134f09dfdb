"""Takes the row that was heard last, by its age.

Caught by: check_a_later_heartbeat_is_later_news
"""

from solution import *


def later(a, b):
    return (a.generation, a.left, -a.age_ms) > (b.generation, b.left, -b.age_ms)
