"""The scenario language: what can be typed in the lab, stands in a `.scenario` file, one command a line."""
