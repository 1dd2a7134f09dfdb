"""The folders that hold the logs of nodes, and which of them were left behind.

A world removes its folder at its end, unless a node died by itself: then its log is kept for whoever wants to
know why. A supervisor that was ended by SIGKILL removes nothing. The folder's name says which process made
it, so that anybody can tell later whether that one still lives.

Invariant: a folder counts as left behind only if it is ours by its name, its owner and all that is in it, and
its maker is surely gone.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

PREFIX = "kvlab-"
REUSE_S = 60.0
"""A process with the maker's number that is so much younger than the folder's last change is another one.
Clocks are not exact, and the maker is surely older than what it wrote."""

_NAME = re.compile(PREFIX + r"(\d+)-\w+")
_LOG = re.compile(r"n\d+\.log")


def make_folder() -> Path:
    """A new folder for the logs of this process' nodes."""
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))


def left_behind() -> list[Path]:
    """This user's folders whose maker is gone, in the order of their names."""
    here = Path(tempfile.gettempdir())
    return sorted(path for path in here.glob(f"{PREFIX}*") if _is_ours(path) and not _maker_lives(path))


def remove(folder: Path) -> None:
    """Remove a folder that `left_behind` has named: its logs, and then itself. Raises OSError.

    Looked at once more, and only what was looked at is removed: whatever else lies there stays.
    """
    if not _is_ours(folder) or _maker_lives(folder):
        raise OSError(f"{folder} is not a folder that a cluster left behind")
    for log in folder.iterdir():
        if _LOG.fullmatch(log.name):
            log.unlink()
    folder.rmdir()


def _is_ours(path: Path) -> bool:
    """By its name, its owner, and that it holds nothing but logs."""
    try:
        seen = path.lstat()
        return (
            _NAME.fullmatch(path.name) is not None
            and stat.S_ISDIR(seen.st_mode)  # and no link to one
            and seen.st_uid == os.getuid()
            and all(_LOG.fullmatch(file.name) and not file.is_dir() for file in path.iterdir())
        )
    except OSError:
        return False  # gone meanwhile, or not to be read


def _maker_lives(path: Path) -> bool:
    import psutil

    name = _NAME.fullmatch(path.name)
    assert name is not None, path
    try:
        born = psutil.Process(int(name[1])).create_time()
        return bool(born <= path.stat().st_mtime + REUSE_S)
    except (psutil.NoSuchProcess, OSError):
        return False
    except psutil.AccessDenied:
        return True  # so there is such a process, and more cannot be told
