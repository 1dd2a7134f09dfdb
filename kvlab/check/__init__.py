"""Histories of operations, and what may be claimed of them. Pure: nothing here runs a cluster."""
