"""What all rows of Scripts/bench share: compiled programs, the recorded trace, bytes to write, folders."""
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "Proof"))
import processes  # noqa: E402
import shared_material  # noqa: E402
import trace_model  # noqa: E402


class Space:
    """A folder that stands for a workspace of its own."""

    def __init__(self, path):
        self.path = path

    def folder(self, name):
        """A folder in it."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def compiled(source, tools, *flags):
    """Compiles a C program beside this file into the folder `tools`; returns its path."""
    program = tools / source.removesuffix(".c")
    processes.run(["gcc", "-O2", "-Wall", "-pthread", "-o", program, ROOT / "Scripts" / source, *flags])
    return program


def garden(given, rows):
    """The trace `garden`, or None where there is none; then says that `rows` are skipped."""
    folder = Path(given.traces) / "garden" if given.traces else shared_material.trace_folder("garden")
    if folder is not None and folder.is_dir():
        return trace_model.RecordedTrace(folder)
    if rows:
        print(f"NO TRACES: neither --traces nor the shared folder has garden; skipped: {', '.join(sorted(rows))}", flush=True)
    return None


def bytes_to_write(trace, tools):
    """A file of what a real server wrote, where there is a trace; else of words in random order."""
    if trace:
        return Path(trace.trace.data.name)
    path = tools / "data"
    words = [os.urandom(8) for _ in range(4096)]
    path.write_bytes(b"".join(words[int.from_bytes(os.urandom(2), "little") % 4096] for _ in range(1 << 20)))
    return path
