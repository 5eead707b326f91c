"""Where the material lies that the project shares with other checkouts: the recorded traces.

This is the one place that knows the folder. `ASOF_TEST_SHARED` names it; without that it is the folder `shared` beside the
repository. Everything else asks here and says loudly what it skips when there is none.
"""
import importlib.util
import os
from pathlib import Path

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]


def shared_folder():
    """The shared folder, or None where there is none."""
    named = os.environ.get("ASOF_TEST_SHARED")
    folder = Path(named) if named else REPOSITORY_ROOT.parent / "shared"
    return folder if folder.is_dir() else None


def traces_folder():
    """The folder that holds the recorded traces and their `trace.py`, or None."""
    shared = shared_folder()
    folder = shared / "traces" if shared else None
    return folder if folder and (folder / "trace.py").is_file() else None


def trace_folder(name):
    """The folder of one trace, given by its name or by its path, or None."""
    given = Path(name)
    if (given / "data.bin.zst").exists() or (given / "data.bin").exists():
        return given.resolve()
    folder = traces_folder()
    return folder / name if folder and (folder / name).is_dir() else None


def trace_module(folder):
    """The module `trace.py` that lies beside the trace `folder`. (The standard library has a module of that name too.)"""
    spec = importlib.util.spec_from_file_location("recorded_trace", Path(folder).parent / "trace.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer_source():
    """The C source of the passthrough that the benches compare with, or None."""
    named = os.environ.get("ASOF_BENCH_PEER")
    if named:
        return Path(named)
    shared = shared_folder()
    source = shared / "peers" / "passthrough.c" if shared else None
    return source if source and source.is_file() else None
