"""How every test runs: hypothesis without deadlines, and the same examples each time where CI runs."""

from __future__ import annotations

import os
import sys
import tempfile

import pytest
from hypothesis import settings

# Two shared cores make any deadline a coin toss. In CI the examples follow from the test alone, and a
# failure prints the line that repeats it; elsewhere each run tries new ones.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# The tests start hundreds of processes. Where Python must not keep what it has compiled, as is usual in
# containers, each of them would compile all of kvlab again, which takes longer than the rest of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def _a_folder_for_what_is_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests leave on purpose (logs of killed nodes) goes where pytest tidies up after itself."""
    tempfile.tempdir = os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("left"))
