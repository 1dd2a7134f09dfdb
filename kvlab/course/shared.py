"""What all objects of the reader's share that each should have for itself.

A failure that comes of it has to do with an object that was made before, and says nothing of that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MADE = ("dict", "list", "set", "OrderedDict", "defaultdict", "deque", "Counter", "bytearray")
_CHANGES = ("add", "append", "clear", "discard", "extend", "insert", "move_to_end", "pop", "popitem",
            "remove", "setdefault", "update")  # fmt: skip


def shared(text: str) -> str:
    """Where in this file a dictionary, a list or a set is made once and changed by all; "" if nowhere."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for argument, default in _defaults(node.args):
                if _is_made(default):
                    made = f"line {default.lineno}: {argument}={ast.unparse(default)} is made once"
                    anew = f"Write {argument}=None, and make it inside."
                    return f"{made}, when the file is read, and every call has the same one. {anew}"
        elif isinstance(node, ast.ClassDef):
            for name, line in _of_the_class(node):
                return (
                    f"line {line}: {name} is made once and belongs to the class {node.name}: all its objects "
                    f"change the same one. Make it in __init__, as self.{name}."
                )
    return ""


def _defaults(of: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    places = zip(reversed([*of.posonlyargs, *of.args]), reversed(of.defaults), strict=False)
    for argument, default in (*places, *zip(of.kwonlyargs, of.kw_defaults, strict=True)):
        if default is not None:
            yield argument.arg, default


def _is_made(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        called = value.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        return name in _MADE
    return isinstance(value, ast.Dict | ast.List | ast.Set)


def _of_the_class(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    """What is made in the class's body, not anew in each object, and changed by its methods."""
    made: dict[str, int] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _is_made(statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            made |= {target.id: statement.lineno for target in targets if isinstance(target, ast.Name)}
    for name, line in made.items():
        uses = [(inner, _of_self(inner, name)) for inner in ast.walk(node)]
        anew = any(use and isinstance(inner, ast.Attribute) and _is_stored(inner) for inner, use in uses)
        if not anew and any(_changes(inner, name) for inner, _ in uses):
            yield name, line


def _of_self(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _is_stored(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def _changes(node: ast.AST, name: str) -> bool:
    """self.name[...] = ..., del self.name[...], self.name.append(...)"""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _of_self(node.value, name)
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in _CHANGES and _of_self(called.value, name)
