"""The ideas, one a file, pure: no await, socket, clock or global randomness in here."""
