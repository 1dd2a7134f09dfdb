"""The course: a folder of one's own, the exercises in it, and what judges them."""
