"""What one write of 100 bytes takes: into a dictionary, into a file, onto the disk itself."""

import sqlite3
import tempfile
import time


def each_us(write, times):
    began = time.perf_counter()
    for i in range(times):
        write(f"key:{i % 500}", b"x" * 100)
    return (time.perf_counter() - began) / times * 1e6


def file(folder, mode):
    base = sqlite3.connect(f"{folder}/{mode}.db", isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute(f"PRAGMA synchronous = {mode}")
    base.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB)")
    return lambda key, value: base.execute("REPLACE INTO kept VALUES (?, ?)", (key, value))


with tempfile.TemporaryDirectory() as folder:
    print(f"dict                 {each_us({}.__setitem__, 500_000):8.2f} us")
    print(f"SQLite, no waiting   {each_us(file(folder, 'NORMAL'), 5_000):8.2f} us")
    print(f"SQLite, on the disk  {each_us(file(folder, 'FULL'), 500):8.2f} us")
