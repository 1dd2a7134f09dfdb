"""`kvlab doctor`: is this machine fit for kvlab, and if not, what to do?

Each check tries the thing itself where it can (binds a socket, starts a child, stops it) rather than
asking what the machine claims to be. A check that fails means that kvlab will not work here; a warning,
that something is missing or uncomfortable. Nothing is changed, and no process is ended but our own child;
only `--clean` removes something: the logs of clusters that are gone.
"""

from __future__ import annotations

import errno
import json
import locale
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kvlab import __version__
from kvlab.config import NODES_MAX
from kvlab.course.page import filled
from kvlab.world.folders import left_behind, remove

if TYPE_CHECKING:
    import psutil

FIRST_PORT = 7001  # as in `kvlab up 4 --port 7001`, and the README
NODE_MODULE = "kvlab.world.process.node"
"""What `python -m` runs in the process of a node; leftovers are known by it."""

FILES_MIN, FILES_COMFORTABLE = 64, 256
MEMORY_MIN_MB, MEMORY_COMFORTABLE_MB = 200, 600  # a node takes about 40 MB, the lab 80
SHOWN_MAX = 5  # folders named in a line
CHILD_SECONDS = 10.0  # a Python that has not started by then will not


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What one check found: a line for a person and, unless all is well, what to do about it."""

    check: str
    verdict: Verdict
    says: str
    fix: str = ""


def ok(check: str, says: str) -> Finding:
    return Finding(check, Verdict.OK, says)


def warning(check: str, says: str, fix: str) -> Finding:
    return Finding(check, Verdict.WARNING, says, fix)


def failed(check: str, says: str, fix: str) -> Finding:
    return Finding(check, Verdict.FAILED, says, fix)


# -- what is installed --------------------------------------------------------------------------


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    says = f"{version[0]}.{version[1]}, at {sys.executable}"
    if (3, 11) <= version < (3, 14):
        return ok("python", says)
    return failed(
        "python", says, "use Python 3.11, 3.12 or 3.13; with uv: `uv run --python 3.12 kvlab doctor`"
    )


def release(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, zeros at the end left out: 8.0.0rc1 is (8,)."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in match.group().split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def satisfies(version: str, bounds: str) -> bool:
    """Does a version fit `>=8.2,<9`? Only `>=` and `<` are understood; our own requirements use no others."""
    for bound in filter(None, bounds.replace(" ", "").split(",")):
        if bound.startswith(">="):
            fits = release(version) >= release(bound[2:])
        elif bound[0] == "<" and bound[1:2].isdecimal():
            fits = release(version) < release(bound[1:])
        else:
            raise ValueError(f"expected >=VERSION or <VERSION in {bounds!r}, got {bound!r}")
        if not fits:
            return False
    return True


def own_requirements() -> list[str]:
    """What kvlab's own metadata says it needs to run, here; [] if kvlab was never installed."""
    try:
        lines = metadata.requires("kvlab") or []
    except metadata.PackageNotFoundError:
        return []
    needed = [line for line in lines if "extra ==" not in line]
    return [line for line in needed if not (sys.platform == "win32" and "win32" in line)]


def installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_dependencies(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str | None] = installed_version
) -> Iterator[Finding]:
    """One finding a requirement. uvloop only makes the nodes faster, so its absence is a warning."""
    requirements = own_requirements() if requirements is None else list(requirements)
    if not requirements:
        says = "not installed, so that what it needs cannot be looked up"
        yield warning("kvlab", says, "in a clone: `make lab`, or `python -m pip install -e .`")
    for line in sorted(requirements):
        requirement = line.partition(";")[0].strip()
        match = re.match(r"[A-Za-z0-9._-]*[A-Za-z0-9]", requirement)
        assert match, f"a requirement begins with a name: {line!r}"
        name, bounds = match.group(), requirement[match.end() :]
        version = version_of(name)
        fix = f"run: `python -m pip install '{requirement}'`"
        if version is not None and satisfies(version, bounds):
            yield ok(name, version)
        elif name == "uvloop":
            have = f"{version} does not fit {bounds.strip()}" if version else "not installed"
            yield warning(name, f"{have}; nodes use asyncio's own loop, and are slower", fix)
        elif version is None:
            yield failed(name, "not installed", fix)
        else:
            yield failed(name, f"{version} does not fit {bounds.strip()}", fix)


def check_redis_cli(which: Callable[[str], str | None] = shutil.which) -> Finding:
    path = which("redis-cli")
    if path:
        return ok("redis-cli", path)
    return warning(
        "redis-cli",
        "not on the PATH; only needed to talk to a node by hand",
        "Debian, Ubuntu: `sudo apt-get install redis-tools`; macOS: `brew install redis`",
    )


# -- what the machine lets us do ----------------------------------------------------------------


def check_loopback() -> Finding:
    """Bind, listen, connect and exchange a byte on 127.0.0.1, as the nodes do."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(CHILD_SECONDS)
            with socket.create_connection(server.getsockname(), timeout=CHILD_SECONDS) as client:
                accepted, _ = server.accept()
                with accepted:
                    client.sendall(b"k")
                    accepted.settimeout(CHILD_SECONDS)
                    if accepted.recv(1) != b"k":
                        raise ConnectionError("a byte sent on 127.0.0.1 did not arrive")
    except OSError as error:
        return failed(
            "loopback",
            f"127.0.0.1 does not work: {error}",
            "bring the loopback interface up (ip link set lo up), or let the sandbox allow local sockets",
        )
    return ok("loopback", "127.0.0.1 binds, connects and carries data")


ECHO = "import sys\nfor line in sys.stdin:\n    print(line, end='', flush=True)"


def check_child() -> Iterator[Finding]:
    """Start a Python, have it answer, stop it with SIGSTOP and wake it: the life of a node."""
    if not hasattr(signal, "SIGSTOP"):
        yield failed("pause", "this system has no SIGSTOP", "use Linux or macOS; on Windows, use WSL")
        return
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
    except OSError as error:
        yield failed("child process", f"{sys.executable}: {error}", "let this user start processes")
        return
    with child:
        try:
            if not _answers(child):
                yield failed(
                    "child process",
                    f"a Python started as a child did not answer within {CHILD_SECONDS:g} s",
                    f"""try it by hand: {sys.executable} -c "print('hello')" """.rstrip(),
                )
                return
            yield ok("child process", "starts and answers")
            child.send_signal(signal.SIGSTOP)
            # WUNTRACED makes a child's standing still count as news, so this returns the moment it does.
            _, status = os.waitpid(child.pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                child.send_signal(signal.SIGCONT)
                if _answers(child):
                    yield ok("pause", "a process can be stopped and woken (SIGSTOP, SIGCONT)")
                    return
            yield failed("pause", "a child did not survive SIGSTOP", "see what ends stopped processes here")
        finally:
            child.kill()


def _answers(child: subprocess.Popen[bytes]) -> bool:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(b"hello\n")
    except BrokenPipeError:
        return False
    ready, _, _ = select.select([child.stdout], [], [], CHILD_SECONDS)
    return bool(ready) and child.stdout.readline() == b"hello\n"


def open_files_limit() -> int | None:
    """How many descriptors a process may still open; None where there is no such limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def check_open_files(limit: int | None) -> Finding:
    if limit is None or limit >= FILES_COMFORTABLE:
        return ok("open files", "no limit" if limit is None else f"up to {limit} a process")
    says = f"only {limit} a process; a node holds one for each peer and each client"
    fix = "run: ulimit -n 1024"
    return (warning if limit >= FILES_MIN else failed)("open files", says, fix)


def available_memory_mb() -> int | None:
    """None if it cannot be told, without psutil."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available) // 1_000_000


def check_memory(available_mb: int | None) -> Finding:
    if available_mb is None:
        return warning("memory", "cannot be told without psutil", "mend psutil, above")
    says = f"{available_mb} MB free; five nodes and the lab take about 300"
    fix = "close something, or start fewer nodes: `kvlab lab 4 --nodes 3`"
    if available_mb >= MEMORY_COMFORTABLE_MB:
        return ok("memory", says)
    return (warning if available_mb >= MEMORY_MIN_MB else failed)("memory", says, fix)


def port_is_free(port: int) -> bool:
    """Can a server bind it? Raises OSError if something other than its being taken forbids it."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def check_ports(first: int = FIRST_PORT, count: int = NODES_MAX) -> Finding:
    """The ports that the course talks to: `kvlab up 4 --port 7001`, and a Redis client beside it."""
    what = f"{first} to {first + count - 1}"
    try:
        taken = [str(port) for port in range(first, first + count) if not port_is_free(port)]
    except OSError as error:
        return failed(
            "ports", f"cannot bind {what} on 127.0.0.1: {error}", "let the sandbox allow local sockets"
        )
    if not taken:
        return ok("ports", f"{what} are free")
    return warning(
        "ports",
        f"in use: {', '.join(taken)} (another cluster, perhaps)",
        "close it, or choose others (`kvlab up 4 --port 7101`), or none: free ones are found",
    )


# -- the terminal -------------------------------------------------------------------------------


def check_terminal(is_terminal: bool, columns: int, lines: int) -> Finding:
    if not is_terminal:
        return ok("terminal", "the output is not one; the lab needs one, all else does not")
    says = f"{columns}x{lines}; if a lab that was killed has spoilt it, type: reset"
    if columns >= 80 and lines >= 24:
        return ok("terminal", says)
    if columns >= 60 and lines >= 20:
        return warning(
            "terminal", f"{columns}x{lines}: the lab is cramped", "make the window 80x24 or larger"
        )
    says = f"{columns}x{lines}: the lab cannot draw below 60x20"
    return warning("terminal", says, "make the window 80x24 or larger")


def check_colours(is_terminal: bool, env: Mapping[str, str]) -> Finding:
    if env.get("NO_COLOR"):
        return ok("colours", "off, as NO_COLOR asks")
    if not is_terminal:
        return ok("colours", "none, as the output is not a terminal")
    term = env.get("TERM", "")
    if term in ("", "dumb"):
        return warning("colours", f"TERM is {term or 'not set'}", "run: export TERM=xterm-256color")
    if env.get("COLORTERM") in ("truecolor", "24bit"):
        return ok("colours", "16 million")
    if "256" in term:
        return ok("colours", "256")
    return warning("colours", f"TERM is {term}: perhaps only 16", "run: export TERM=xterm-256color")


def check_utf8(encoding: str) -> Finding:
    if encoding.lower().replace("-", "") == "utf8":
        return ok("utf-8", "what is printed arrives as UTF-8")
    return warning(
        "utf-8", f"the output is {encoding}: lines and glyphs will not arrive", "run: export LC_ALL=C.UTF-8"
    )


# -- leftovers ----------------------------------------------------------------------------------


def node_processes() -> list[psutil.Process] | None:
    """This user's node processes; None without psutil."""
    try:
        import psutil
    except ImportError:
        return None
    mine = psutil.Process().username()
    found = []
    for process in psutil.process_iter():
        try:
            if NODE_MODULE in process.cmdline() and process.username() == mine:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended meanwhile, or belongs to somebody else
    return found


def is_orphan(process: psutil.Process) -> bool:
    """Is nobody left who started it? Then its parent is no Python, but whatever adopts orphans here."""
    import psutil

    try:
        parent = process.parent()
        command = parent.cmdline() if parent else []
    except psutil.NoSuchProcess:
        return False  # one of the two has ended meanwhile, and the other will
    except psutil.AccessDenied:
        return True  # the parent is another user's, and that is not who started it
    return not command or "python" not in Path(command[0]).name.lower()


def check_leftovers() -> Finding:
    """Nodes end with whoever started them, even by SIGKILL; one that did not is worth a look."""
    nodes = node_processes()
    if nodes is None:
        return warning("leftovers", "cannot be told without psutil", "mend psutil, above")
    orphans = [str(node.pid) for node in nodes if is_orphan(node)]
    if orphans:
        return warning(
            "leftovers",
            f"node processes whose cluster is gone: {' '.join(orphans)}",
            f"look at them (ps {' '.join(orphans)}), then end them: kill {' '.join(orphans)}",
        )
    if nodes:
        return ok("leftovers", f"none; {len(nodes)} node{'s'[: len(nodes) > 1]} of a running cluster")
    return ok("leftovers", "none")


def check_logs() -> Finding:
    """Folders of logs whose cluster is gone: it was ended by SIGKILL, or a node of it died by itself."""
    try:
        folders = left_behind()
    except ImportError:
        return warning("old logs", "cannot be told without psutil", "mend psutil, above")
    if not folders:
        return ok("old logs", "none")
    shown = [str(folder) for folder in folders[:SHOWN_MAX]]
    more = f" and {len(folders) - len(shown)} more" if len(folders) > len(shown) else ""
    says = f"logs of clusters that are gone: {' '.join(shown)}{more}"
    return warning("old logs", says, "read them if you like, then remove them: `kvlab doctor --clean`")


def clean() -> Iterator[str]:
    """Remove the folders that `check_logs` names; says a line for each, and of those that would not go."""
    folders = left_behind()
    for folder in folders:
        try:
            remove(folder)
            yield f"removed {folder}"
        except OSError as error:
            yield f"{folder} stays: {error}"
    if not folders:
        yield "Nothing to remove: no cluster that is gone has left anything behind."


# -- all of it ----------------------------------------------------------------------------------


def examine() -> Iterator[Finding]:
    """Every check, in the order in which one would mend things."""
    is_terminal = sys.stdout.isatty()
    size = shutil.get_terminal_size()
    yield check_python()
    yield from check_dependencies()
    yield check_loopback()
    yield from check_child()
    yield check_open_files(open_files_limit())
    yield check_memory(available_memory_mb())
    yield check_ports()
    yield check_leftovers()
    yield check_logs()
    yield check_terminal(is_terminal, size.columns, size.lines)
    yield check_colours(is_terminal, os.environ)
    yield check_utf8(sys.stdout.encoding or locale.getencoding())
    yield check_redis_cli()


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The worst of them."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)


COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red"}

_NEXT = "Next: `kvlab lab 4`, or, in your workspace, `kvlab watch`"
SUMMARIES = {
    Verdict.OK: f"This machine is fit. {_NEXT}",
    Verdict.WARNING: f"This machine is fit; the warnings can wait. {_NEXT}",
    Verdict.FAILED: "kvlab will not work here yet: mend what failed, and run `kvlab doctor` again.",
}


def print_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        said = filled(finding.says, f"{finding.verdict:7}  {finding.check:13}  ")
        mark = len(finding.verdict)
        click.echo(click.style(said[:mark], fg=COLOURS[finding.verdict]) + said[mark:])
        if finding.fix:
            click.echo(filled(finding.fix, f"{'':24} -> "))


@click.command("doctor", short_help="Say whether this machine is fit, and what to do if not.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--clean", "cleaning", is_flag=True, help="Only remove what clusters that are gone left behind."
)
def doctor_command(as_json: bool, cleaning: bool) -> None:
    """Say whether this machine is fit for kvlab, and what to do if it is not.

    Exits 0 unless a check failed; warnings do not count. If a lab that was killed has spoilt the terminal,
    type `reset` and Enter, though you cannot see it.
    """
    if cleaning:
        if as_json:
            raise click.UsageError("--clean removes and --json reports; give one of them")
        for line in clean():
            click.echo(filled(line))
        return
    findings = list(examine())
    worst = verdict(findings)
    if as_json:
        report = {
            "kvlab": __version__,
            "verdict": worst,
            "findings": [asdict(finding) for finding in findings],
        }
        click.echo(json.dumps(report, indent=2))
    else:
        print_findings(findings)
        click.echo(f"\n{filled(SUMMARIES[worst])}")
    if worst is Verdict.FAILED:
        raise SystemExit(1)
