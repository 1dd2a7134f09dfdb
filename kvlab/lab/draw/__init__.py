"""Drawing, pure: (view, size, theme) -> rows of styled text. Nothing here knows of Textual."""
