"""Two worlds that a node can run in, behind one interface: `World`."""
