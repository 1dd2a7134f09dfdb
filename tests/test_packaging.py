"""What is shipped: the wheel, the versions, the commands of the README, and what no commit may name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import pytest

from kvlab import __version__, doctor

ROOT = Path(__file__).parents[1]


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_mypy_looks_into_every_folder_of_python() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("[a-z]*/**/*.py")}
    assert folders - {"chapters"} == set(project()["tool"]["mypy"]["files"])


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bare_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return canonical(match.group())


# -- pyproject.toml and constraints.txt ---------------------------------------------------------


def test_the_version_is_the_same_in_both_places() -> None:
    assert project()["project"]["version"] == __version__


def test_the_dev_extra_and_the_dev_group_agree() -> None:
    """pip 23.2 knows only extras, `uv run` reads the group: whoever changes one must change both."""
    assert project()["project"]["optional-dependencies"]["dev"] == project()["dependency-groups"]["dev"]


def test_the_doctor_can_read_every_requirement() -> None:
    for requirement in project()["project"]["dependencies"]:
        bounds = requirement.partition(";")[0].removeprefix(re.split("[<>=]", requirement)[0])
        assert bounds
        doctor.satisfies("1.0", bounds)


def constraints() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines), "name==version only"
    pairs = [line.split("==") for line in lines]
    assert len({canonical(name) for name, _ in pairs}) == len(pairs), "a name stands twice"
    return {canonical(name): version for name, version in pairs}


def needed_by(name: str, seen: dict[str, str]) -> dict[str, str]:
    """Every distribution that `name` brings on this machine, with its installed version, itself included."""
    from packaging.requirements import Requirement

    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return seen  # not needed here: another platform's, or an extra that is not installed
    if canonical(name) not in seen:
        seen[canonical(name)] = distribution.version
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed_by(requirement.name, seen)
    return seen


def test_the_constraints_cover_every_dependency_and_what_it_brings() -> None:
    extras = project()["project"]["optional-dependencies"]
    requirements = [*project()["project"]["dependencies"], *extras["dev"], *extras["docs"]]
    listed = constraints()
    needed: dict[str, str] = {}
    for requirement in requirements:
        assert bare_name(requirement) in listed, f"{requirement} is not in constraints.txt"
        needed_by(bare_name(requirement), needed)
    assert not needed.keys() - listed.keys(), "pip freeze lists more than constraints.txt"


def test_every_constraint_fits_its_requirement() -> None:
    for requirement in project()["project"]["dependencies"]:
        name = bare_name(requirement)
        bounds = requirement.partition(";")[0][len(name) :]
        assert doctor.satisfies(constraints()[name], bounds), f"{name} {constraints()[name]}: {requirement}"


# -- the wheel ----------------------------------------------------------------------------------

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "site", "dist")


def build(kind: str, source: Path, into: Path) -> Path:
    """Build a wheel or an sdist without a network: the back end is installed with the `dev` extra."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of a copy of this tree, in which compiled files lie about as they do after a day's work."""
    tree = tmp_path_factory.mktemp("tree") / "kvlab"
    shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
    for folder in ("kvlab", "kvlab/core", "chapters"):
        (tree / folder / "__pycache__").mkdir(exist_ok=True)
        (tree / folder / "__pycache__" / "stale.cpython-311.pyc").write_bytes(b"stale")
    with zipfile.ZipFile(build("wheel", tree, tmp_path_factory.mktemp("wheel"))) as built:
        yield built


def test_the_wheel_holds_every_module_the_chapters_and_the_mark_of_typing(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kvlab").rglob("*.py")}
    assert modules <= names
    assert {"kvlab/py.typed", "kvlab/chapters/README.md"} <= names
    assert len([name for name in names if re.fullmatch(r"kvlab/chapters/0\d_\w+/demo.scenario", name)]) == 9
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {"kvlab", f"kvlab-{__version__}.dist-info"}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_wheel_brings_the_command_and_asks_for_its_dependencies(wheel: zipfile.ZipFile) -> None:
    info = f"kvlab-{__version__}.dist-info"
    assert "kvlab = kvlab.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    asked = wheel.read(f"{info}/METADATA").decode()
    assert "Requires-Python: <3.14,>=3.11" in asked
    for requirement in project()["project"]["dependencies"]:
        assert f"Requires-Dist: {bare_name(requirement)}" in asked


def test_an_sdist_holds_what_a_wheel_is_built_from(tmp_path: Path) -> None:
    tree = tmp_path / "kvlab"
    shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
    out = tmp_path / "out"
    out.mkdir()
    with tarfile.open(build("sdist", tree, out)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "chapters/README.md", "kvlab/__init__.py"} <= names
    assert not any(name.startswith((".venv", ".git/")) for name in names)


# -- what the README promises -------------------------------------------------------------------


def readme_commands() -> list[list[str]]:
    """The words of every command line in the README's indented blocks, comments left out."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    blocks = [line.strip().partition("  #")[0] for line in lines if line.startswith("    ")]
    return [words for words in (line.split() for line in blocks) if words]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_nobody_is_told_to_fetch_what_is_not_published(page: Path) -> None:
    assert not re.search(r"(pip|uv tool|pipx) install '?kvlab|uvx kvlab", page.read_text(encoding="utf-8"))


def test_every_make_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[1] for words in readme_commands() if words[0] == "make"}
    assert {"lab", "test"} <= named <= targets


def test_every_kvlab_command_that_the_readme_names_is_there() -> None:
    from kvlab.cli import main

    named = set()
    for words in readme_commands():
        if "kvlab" in (command := [word.rpartition("/")[2] for word in words]):
            named.add(command[command.index("kvlab") + 1])
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named.update(re.findall(r"`kvlab ([a-z]+)", text))
    assert {"lab", "up", "run", "doctor"} <= named
    assert named <= set(main.list_commands(click.Context(main)))


def test_every_file_that_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    run = [
        word for words in readme_commands() for word in words if re.search(r"\.(scenario|txt|py|md)$", word)
    ]
    quoted = re.findall(r"`([\w/.-]+\.(?:txt|py|md|scenario))`", text)
    missing = [name for name in {*linked, *run, *quoted} if not (ROOT / name).exists()]
    assert missing == []
    assert linked
    assert run


def test_the_script_in_the_readme_is_the_one_it_tells_to_run() -> None:
    """Prose includes code, never retypes it; a README cannot include, so a test compares."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / "docs" / "examples" / "first.scenario").read_text(encoding="utf-8")
    lines = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert "\n".join(f"    {line}" for line in lines) in text


# -- what no commit may name --------------------------------------------------------------------


def committed_lines_with(text: str) -> list[str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing is committed here")
    found = subprocess.run(
        ["git", "grep", "-nIF", "-e", text], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.splitlines()


# Put together here, or this file would be the first to be found.
@pytest.mark.parametrize(
    "host", ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "deb." + "debian.org"]
)
def test_no_file_names_a_package_registry(host: str) -> None:
    """Whoever installs through a mirror must not be led round it."""
    assert committed_lines_with(host) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    places = [f"/{home}/" for home in ("root", "home", "Users")]
    if ROOT.parent not in (Path("/"), Path(tempfile.gettempdir()), Path.home()):
        places.append(f"{ROOT.parent}/")
    assert [line for place in places for line in committed_lines_with(place)] == []
