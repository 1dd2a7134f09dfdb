"""kvlab: a textbook that runs. Build a Dynamo-style key-value store in nine steps."""

__version__ = "0.1.0"
