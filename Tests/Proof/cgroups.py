"""Cgroups made for a test: version 2 where the controller is there, else version 1; taken away at the end."""
import os
import time
from pathlib import Path



def _mounts():
    """(file system, mount point, its options) of every cgroup mount."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            fields, rest = line.split(" - ")[0].split(), line.split(" - ")[1].split()
            if rest[0] in ("cgroup", "cgroup2") and fields[3] == "/":
                found.append((rest[0], fields[4], rest[2].split(",")))
    return found


def _ours(version, controller=None):
    """The folder of this process's own group in a hierarchy."""
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split(":", 2) for line in lines]
    for kind, point, options in _mounts():
        if version == 2 and kind == "cgroup2":
            return Path(point + next(path for number, names, path in rows if number == "0" and not names))
        if version == 1 and kind == "cgroup" and controller in options:
            return Path(point + next((path for _, names, path in rows if controller in names.split(",")), "/"))
    return None


def has_io():
    """Whether version 2 has the controller of block devices here."""
    ours = _ours(2)
    return ours is not None and "io" in Group._controllers(ours)


class Unavailable(Exception):
    """There is no such cgroup here."""


class Group:
    """A new cgroup below our own. `controller`: `freezer` (also for kill), `memory`, `cpu`, `blkio` or `io`."""

    def __init__(self, controller, name):
        self.controller, self.version = controller, 2
        above = _ours(2)
        if controller != "freezer" and (above is None or controller not in self._controllers(above)):
            self.version, above = 1, _ours(1, controller)
        if above is None:
            raise Unavailable(f"no cgroup hierarchy with {controller} is mounted here")
        self.path = above / f"asof-{name}-{os.getpid()}-{time.monotonic_ns() % 1_000_000}"
        try:
            self.path.mkdir()
        except OSError as problem:
            raise Unavailable(f"{self.path} cannot be made: {problem.strerror}") from problem

    @staticmethod
    def _controllers(folder):
        try:
            return (folder / "cgroup.subtree_control").read_text().split()
        except OSError:
            return []

    def write(self, name, value):
        """Writes one of its files."""
        try:
            (self.path / name).write_text(f"{value}\n")
        except OSError as problem:
            raise Unavailable(f"{self.path / name}: {problem.strerror}") from problem

    def add(self, pid):
        """Moves a process in, with all of its threads."""
        self.write("cgroup.procs", pid)

    def command(self):
        """A line of shell by which a process puts itself in."""
        return f"echo $$ > {self.path}/cgroup.procs"

    def limit_memory(self, size):
        """The most memory."""
        self.write(*(("memory.max", size) if self.version == 2 else ("memory.limit_in_bytes", size)))

    def limit_processor(self, share):
        """The share of one processor."""
        if self.version == 2:
            self.write("cpu.max", f"{int(share * 100_000)} 100000")
        else:
            self.write("cpu.cfs_period_us", 100_000)
            self.write("cpu.cfs_quota_us", int(share * 100_000))

    def kill(self):
        """Kills everything in it at once."""
        self.write("cgroup.kill", 1)

    def frozen(self):
        """Whether it is frozen (version 2)."""
        return "frozen 1" in (self.path / "cgroup.events").read_text()

    def members(self):
        """The processes in it."""
        return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end = time.monotonic() + 10
        while self.path.is_dir():
            try:
                self.path.rmdir()
            except OSError:
                if time.monotonic() > end:
                    break
                # Thaw, so that what is left can die.
                if self.controller == "freezer" and self.version == 2:
                    (self.path / "cgroup.freeze").write_text("0\n")
                for pid in self.members():
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
                time.sleep(0.02)


def available(controller):
    """None, or why a cgroup with a controller cannot be made."""
    try:
        with Group(controller, "try"):
            return None
    except Unavailable as problem:
        return str(problem)


def frozen_states(pid):
    """The states of all threads of a process, as one string of letters."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as stat:
            found.append(stat.read().rsplit(")", 1)[1].split()[0])
    return "".join(sorted(found))
