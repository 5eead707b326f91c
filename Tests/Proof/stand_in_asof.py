#!/usr/bin/env python3
"""Plays the command `asof` for the tests of the proofs themselves, so that they can be tried without it.

`record` is the C passthrough named by STAND_IN_PASSTHROUGH; a view is made from the workload's log, or from a drive's log of a
trace (STAND_IN_TRACE, STAND_IN_DRIVE). STAND_IN_SPOIL=lost|mtime spoils the views, STAND_IN_UNREACHABLE adds a crash point
that nothing reaches. It proves nothing about asof.
"""
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import processes  # noqa: E402
import trace_model  # noqa: E402
from check_cut import Judge  # noqa: E402
from workload_log import Log  # noqa: E402

STATE = Path(os.environ["ASOF_STATE_DIR"])
REPOSITORY = Path(os.environ["ASOF_REPO"])
POINTS = ["record-start", "record-load", "record-end", "backup"]


def crash(point, count=1):
    """Dies at a point when that is wanted."""
    if os.environ.get("ASOF_CRASH_AT", "").split(":")[0] == point:
        os.kill(os.getpid(), signal.SIGKILL)


def record(backing, mountpoint):
    """A passthrough as child; dies with us."""
    crash("record-start")
    (REPOSITORY / "backing").write_text(backing)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    child = processes.start([os.environ["STAND_IN_PASSTHROUGH"], backing, mountpoint], stderr=subprocess.DEVNULL)
    while not processes.is_mounted(mountpoint):
        time.sleep(0.005)
    print("ready", flush=True)
    threading.Thread(target=lambda: (time.sleep(0.4), crash("record-load")), daemon=True).start()
    signal.sigwait([signal.SIGTERM])
    crash("record-end")
    processes.unmount(mountpoint)
    child.wait(10)


def made(folder, when):
    """Makes the view's tree in an empty folder."""
    spoil = os.environ.get("STAND_IN_SPOIL")
    if when == "latest":
        subprocess.run(["cp", "-a", (REPOSITORY / "backing").read_text() + "/.", str(folder)], check=True)
        if spoil == "mtime":
            name = next(p for p in sorted(folder.rglob("*")) if p.is_file())
            os.utime(name, ns=(0, name.stat().st_mtime_ns + 1))
        return
    seconds, _, fraction = when[1:].partition(".")
    moment = int(seconds) * 1_000_000_000 + int(fraction)
    if "STAND_IN_TRACE" in os.environ:
        recorded = trace_model.RecordedTrace(os.environ["STAND_IN_TRACE"])
        rows = [[int(word) for word in line.split()] for line in Path(os.environ["STAND_IN_DRIVE"]).read_text().splitlines()]
        done = max((row[0] for row in rows if row[2] <= moment), default=0)
        recorded.module.Driver(recorded.trace, str(folder)).run([o for o in recorded.operations[:done] if o["op"] != "fsync"], 0, None)
    else:
        judge = Judge(Log(STATE.parent / "workload.log"))
        judge._advance_to_time(moment)
        if spoil == "lost":
            del judge.tree.names[max(p for p in judge.tree.names if p.endswith(".wal"))]
        judge.tree.write_to(folder)
        for path in [*folder.rglob("*"), folder]:
            os.utime(path, ns=(0, 0), follow_symlinks=False)


def mount(arguments):
    """A folder with the view, bound to the mount point."""
    when = arguments[arguments.index("--at") + 1]
    if when.startswith("lsn:"):
        sys.exit("the stand-in has no LSNs")
    folder = Path(arguments[-1] + f".made-{time.time_ns()}")
    folder.mkdir()
    made(folder, when)
    os.setxattr(folder, "user.asof.lsn", b"0")
    subprocess.run(["mount", "--bind", str(folder), arguments[-1]], check=True)


def main(arguments):
    if arguments[0] == "init":
        REPOSITORY.mkdir()
    elif arguments[0] == "record":
        record(arguments[1], arguments[2])
    elif arguments[0] == "mount":
        mount(arguments)
    elif arguments[0] == "umount":
        processes.unmount(arguments[1])
        for folder in Path(arguments[1]).parent.glob(Path(arguments[1]).name + ".made-*"):
            shutil.rmtree(folder)
    elif arguments[0] == "backup":
        crash("backup")
    elif arguments[0] == "status":
        print("{}")
    elif arguments[0] == "internal-crash-points":
        print("\n".join(POINTS + (["nowhere"] if "STAND_IN_UNREACHABLE" in os.environ else [])))
    else:
        sys.exit(f"the stand-in does not know {arguments}")


if __name__ == "__main__":
    main(sys.argv[1:])
