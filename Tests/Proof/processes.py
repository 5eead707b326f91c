"""Child processes that die with us, mounts that are always taken away, and a deadline for everything.

Children get PR_SET_PDEATHSIG, so they must be started from the main thread (the signal belongs to the thread that forked).
"""
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In a child: be killed when the parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(arguments, **options):
    """`Popen` whose process is killed when this one dies."""
    return subprocess.Popen([str(a) for a in arguments], preexec_fn=die_with_parent, **options)


class CommandFailed(Exception):
    """A command ended with another code than the one asked for, or not in time."""


def run(arguments, timeout=60, check=True, **options):
    """Runs a command to its end. Its output goes to files, not pipes: a server it leaves behind cannot hold us up."""
    arguments = [str(a) for a in arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **options)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            err.seek(0)
            raise CommandFailed(f"`{' '.join(arguments)}` did not end within {timeout} s: {err.read()[-2000:].decode(errors='replace')}")
        out.seek(0)
        err.seek(0)
        done = subprocess.CompletedProcess(arguments, code, out.read().decode(errors="replace"), err.read().decode(errors="replace"))
    if check and code != 0:
        raise CommandFailed(f"`{' '.join(arguments)}` ended with {code}: {done.stderr.strip()[-2000:] or done.stdout.strip()[-2000:]}")
    return done


def mount_points():
    """Every mount point of this mount namespace."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return [line.split()[4].encode().decode("unicode_escape") for line in lines]


def is_mounted(path):
    """Whether something is mounted on `path`; never touches `path` itself, which may hang."""
    return os.path.abspath(path) in mount_points()


def unmount(path, lazily=False):
    """Takes away whatever is mounted on `path`: politely first unless `lazily`, then by force."""
    path = os.path.abspath(path)
    for _ in range(8):
        if not is_mounted(path):
            return
        polite = not lazily and subprocess.run(["umount", path], capture_output=True, timeout=30, check=False).returncode == 0
        if not polite:
            if not lazily:
                time.sleep(0.05)
            subprocess.run(["umount", "-l", path], capture_output=True, timeout=30, check=False)


class Deadline:
    """Ends this whole program when it is not done in time: kills its children, which also frees system calls that hang in a
    mount, unmounts below `workspace`, and exits with 3."""

    def __init__(self, seconds, workspace, what):
        self._timer = threading.Timer(seconds, self._expire, (seconds, str(workspace), what))
        self._timer.daemon = True

    def __enter__(self):
        self._timer.start()
        return self

    def __exit__(self, *_):
        self._timer.cancel()

    @staticmethod
    def _expire(seconds, workspace, what):
        print(f"{what}: not done within {seconds} s; giving up", file=sys.stderr, flush=True)
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for path in mount_points():
            if path.startswith(workspace):
                subprocess.run(["umount", "-l", path], capture_output=True, check=False)
        os._exit(3)


def private_memory(pid):
    """What a process has in memory that belongs to no file, in KiB; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("RssAnon:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def children(of=None):
    """The direct children of this process."""
    of = of or os.getpid()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    if int(stat.read().rsplit(")", 1)[1].split()[1]) == of:
                        found.append(int(entry))
            except OSError:
                pass
    return found


class Workspace:
    """A temporary directory; whatever is mounted in it is unmounted before it is removed."""

    def __init__(self, prefix, keep=False, parent=None):
        self.path = Path(tempfile.mkdtemp(prefix=f"asof-{prefix}-", dir=parent))
        self.keep = keep

    def __enter__(self):
        return self

    def folder(self, name):
        """A new or existing folder in the workspace."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def __exit__(self, kind, *_):
        for path in sorted(mount_points(), key=len, reverse=True):
            if path.startswith(str(self.path) + "/"):
                unmount(path)
        if self.keep:
            print(f"kept: {self.path}", file=sys.stderr)
        else:
            subprocess.run(["rm", "-rf", "--one-file-system", str(self.path)], check=False)
