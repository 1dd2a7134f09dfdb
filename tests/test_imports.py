"""The layout is the table of contents: dependencies point one way (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kvlab"

# Each part of kvlab, and the parts that it may import besides itself. Lowest first.
FOUNDATION = ("errors", "messages")
BELOW_STAGES = (*FOUNDATION, "config", "env", "core")
BELOW_WORLD = (*BELOW_STAGES, "services", "stages", "trace")
BELOW_CHECK = (*FOUNDATION, "config", "trace")
BELOW_SCRIPT = (*BELOW_WORLD, "world", "check")
ANY = ("*",)
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": FOUNDATION,
    "messages": FOUNDATION,
    "config": FOUNDATION,
    "env": FOUNDATION,
    "core": (*FOUNDATION, "env"),
    "services": BELOW_STAGES,
    "stages": (*BELOW_STAGES, "services"),
    "trace": (*FOUNDATION, "config"),
    "world": BELOW_WORLD,
    "check": BELOW_CHECK,
    "script": BELOW_SCRIPT,
    "fuzz": (*BELOW_SCRIPT, "script"),
    "scorecard": (*BELOW_SCRIPT, "script"),
    "lab": ANY,
    "course": ANY,
    "cli": ANY,
    "doctor": ANY,
    "__main__": ANY,
    "__init__": (),
}

# What may come from outside the standard library; a part that is not here may import any dependency.
PURE: dict[str, set[str]] = {
    "errors": set(),
    "messages": {"msgspec"},
    "config": {"msgspec"},
    "env": set(),
    "core": {"mmh3"},
    "services": {"msgspec"},
    "stages": {"msgspec"},
    "trace": {"msgspec"},
    "check": {"msgspec"},
}

HEADLESS = (
    "kvlab.core",
    "kvlab.stages",
    "kvlab.services",
    "kvlab.check",
    "kvlab.script",
    "kvlab.world.sim",
    "kvlab.fuzz",
    "kvlab.scorecard",
)
"""What grades, fuzzes and replays: no terminal, no socket library, no thread."""


def part(module: str) -> str:
    """kvlab.core.ring -> core; kvlab itself -> __init__."""
    return module.split(".")[1] if "." in module else "__init__"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """The full names of what a file imports, inside functions too: `from kvlab import x` is kvlab.x."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: write imports in full, from kvlab...."
            assert node.module is not None
            if node.module == "kvlab":
                names.update(f"kvlab.{alias.name}" for alias in node.names)
            else:
                names.add(node.module)
    return names


def belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("module", modules())
def test_a_part_imports_only_parts_below_it(module: str) -> None:
    here = part(module)
    assert here in MAY_IMPORT, f"kvlab/{here} is new: give it a place in this file and docs/architecture.md"
    allowed = MAY_IMPORT[here]
    if allowed == ANY:
        return
    used = {part(name) for name in imported(modules()[module]) if belongs(name, "kvlab")}
    above = used - {here, *allowed, "__init__", "__version__"}  # any part may name the version
    assert not above, f"{module} imports from {sorted(above)}; {here} may use {sorted(allowed)}"


@pytest.mark.parametrize("module", [name for name in modules() if part(name) in PURE])
def test_cores_and_stages_need_little_from_outside(module: str) -> None:
    foreign = {name.split(".")[0] for name in imported(modules()[module])} - {"kvlab"}
    foreign -= sys.stdlib_module_names
    assert foreign <= PURE[part(module)], f"{module} imports {sorted(foreign - PURE[part(module)])}"


@pytest.mark.parametrize("module", [name for name in modules() if part(name) == "core"])
def test_a_core_is_pure(module: str) -> None:
    """No clock, socket, file, thread, event loop: the caller hands in the time and a seeded Random."""
    impure = {"asyncio", "os", "selectors", "socket", "subprocess", "threading", "time", "uuid", "secrets"}
    assert not imported(modules()[module]) & impure
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    waits = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    assert not waits, f"{module} waits for something; that belongs in services/ or stages/"


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own: this one has imported everything already."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PACKAGE.parent,
        check=False,
    )


def test_grading_and_simulation_pull_in_no_terminal_socket_library_or_thread() -> None:
    """Not even through something they import. asyncio itself imports threading, so that one is
    forbidden by name above and in the files themselves below."""
    headless = [name for name in modules() if any(belongs(name, package) for package in HEADLESS)]
    done = run(
        f"""
import importlib, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("textual", "hiredis", "uvloop"):
            raise ImportError(f"{{name}} is not to be imported here")
sys.meta_path.insert(0, Blocker())
for module in {headless}:
    importlib.import_module(module)
"""
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module", [name for name in modules() if any(belongs(name, package) for package in HEADLESS)]
)
def test_nothing_headless_starts_a_thread_or_a_process(module: str) -> None:
    forbidden = {
        "threading",
        "concurrent.futures",
        "multiprocessing",
        "subprocess",
        "socket",
        "psutil",
        "textual",
    }
    assert not imported(modules()[module]) & forbidden


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["run", "--help"], ["serve", "--help"]])
def test_only_the_lab_imports_textual(arguments: list[str]) -> None:
    """Textual takes 0.3 s to import, and every other command is the quicker for not having it."""
    done = run(
        f"""
import sys
from kvlab.cli import main
sys.argv = ["kvlab", *{arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "textual" not in sys.modules, "textual was imported"
"""
    )
    assert done.returncode == 0, done.stderr
