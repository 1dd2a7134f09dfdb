"""The lab: a cluster on one screen, to watch, cut in two and kill."""
