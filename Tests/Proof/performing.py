"""Operations of a trace as work for a server of many threads (Tests/Fixtures/performer.c), and its notes of when each was made.

A trace is one order of everything. Here it becomes what a server with threads would do: each file belongs to a thread; an operation
waits for the ones that it depends on, and for nothing else:

  - the one before it on the same file;
  - for names: the one before it in the same directory, the making of that directory, whatever was done to what it replaces;
  - renaming or removing a directory waits for everything before it, and everything after it waits for that;
  - causes across threads: an operation in `BIND` (seeded) waits for the one just before it, whichever thread made that;
  - nothing runs more than `reach` operations ahead of what has been finished.

So every thread has at most one operation in flight, and operations in flight never depend on each other.
"""
import mmap
import os
import random
import select
import struct
import subprocess
import time
from pathlib import Path

import processes
from shared_material import REPOSITORY_ROOT

KINDS = ("create", "mkdir", "write", "truncate", "rename", "link", "symlink", "unlink", "rmdir", "chmod", "fsync", "close", "fallocate", "mark")
#: One in so many operations waits for the one before it in the trace.
BIND = 20
#: What the performer holds open, so that it is found as the server; no operation of the trace.
HELD = "/held-open"

_HEAD = struct.Struct("<8I")
_OPERATION = struct.Struct("<BBH7IQQQ")
_NOTES_HEAD = struct.Struct("<8Q")
_GAPS = 4096
_MAGIC = 0x3150464F


def parent(path):
    """The directory that a path is in."""
    return path.rpartition("/")[0] or "/"


class Plan:
    """Which thread performs each operation, and what it waits for: `after[i]` (everything up to that number) and `causes[i]`."""

    def __init__(self, operations, threads, seed, reach=400):
        self.operations, self.threads = operations, threads
        chance = random.Random(f"plan {seed}")
        #: Path → number of the file that has it; file → its last operation and its thread.
        self._files, self._last, self._thread = {}, {}, []
        self._names = {"/": 0}
        #: Directory → which files have their last operation there, for removals.
        self.owner, self.file, self.after, self.causes = [], [], [], []
        floor = 0
        for operation in operations:
            number, kind = operation["n"], operation["op"]
            causes, after = set(), max(floor, number - 1 - reach)
            whole = kind == "rmdir" or kind == "rename" and operation["path"] not in self._files
            if whole:
                after = floor = number - 1
            elif chance.random() < 1 / BIND:
                causes.add(number - 1)
            file = self._performed(operation, causes, chance)
            if whole:
                floor = number
            self.file.append(file)
            self.owner.append(self._thread[file])
            self.after.append(after)
            self.causes.append(sorted(cause for cause in causes if cause > after))

    def _of(self, path, chance):
        """The file at a path; directories and what is not known are files of their own."""
        if path not in self._files:
            self._files[path] = len(self._thread)
            self._thread.append(chance.randrange(self.threads))
        return self._files[path]

    def _named(self, path, number, causes):
        """A change of a name: after the one before in its directory."""
        folder = parent(path)
        causes.add(self._names.get(folder, 0))
        self._names[folder] = number

    def _performed(self, operation, causes, chance):
        number, kind, path = operation["n"], operation["op"], operation["path"]
        if kind in ("mkdir", "rmdir", "symlink", "mark") or kind == "chmod" and path in self._names:
            file = self._of(path or "/", chance) if kind == "mark" else self._other(chance)
            if kind in ("mkdir", "rmdir", "symlink"):
                self._named(path, number, causes)
            if kind == "mkdir":
                self._names[path] = number
            elif kind == "rmdir":
                self._names.pop(path, None)
            elif kind == "chmod":
                causes.add(self._names[path])
                self._names[path] = number
            return file
        if kind == "rename" and path not in self._files:
            return self._directory_renamed(operation, chance)
        if kind == "create":
            self._files.pop(path, None)
        file = self._of(path, chance)
        causes.add(self._last.get(file, 0))
        self._last[file] = number
        if kind in ("create", "unlink"):
            self._named(path, number, causes)
            if kind == "unlink":
                del self._files[path]
        elif kind in ("rename", "link"):
            to = operation["to"]
            self._named(path, number, causes)
            if parent(to) != parent(path):
                self._named(to, number, causes)
            if to in self._files:
                causes.add(self._last.get(self._files[to], 0))
            self._files[to] = file
            if kind == "rename":
                del self._files[path]
        else:
            causes.add(self._names.get(parent(path), 0) if file not in self._last else 0)
        return file

    def _other(self, chance):
        self._thread.append(chance.randrange(self.threads))
        return len(self._thread) - 1

    def _directory_renamed(self, operation, chance):
        old, new, number = operation["path"], operation["to"], operation["n"]
        for table in (self._files, self._names):
            for path in [p for p in table if p == old or p.startswith(old + "/")]:
                table[new + path[len(old):]] = table.pop(path)
        for folder in {parent(old), parent(new)}:
            self._names[folder] = number
        self._names[new] = number
        return self._other(chance)

    @property
    def files(self):
        """How many files there ever were."""
        return len(self._thread)

    def write(self, path):
        """Writes the list as the performer reads it."""
        strings, places, rows, causes = bytearray(b"\0"), {None: 0}, [], []

        def string(text):
            if text not in places:
                places[text] = len(strings)
                strings.extend((text[1:] if text.startswith("/") else text).encode(errors="surrogateescape") + b"\0")
            return places[text]

        for i, o in enumerate(self.operations):
            kind = o["op"]
            to = o["target"] if kind == "symlink" else o.get("to")
            offset = o["size"] if kind == "truncate" else o.get("off", 0)
            rows.append(_OPERATION.pack(KINDS.index(kind), 0, self.owner[i], self.file[i], o.get("mode", 0) & 0o7777, string(o["path"]), string(to),
                                        len(causes), len(self.causes[i]), self.after[i], offset, o.get("len", 0), o.get("blob", 0)))
            causes += self.causes[i]
        head = _HEAD.pack(_MAGIC, len(rows), self.threads, self.files, len(causes), len(strings), 0, 0)
        Path(path).write_bytes(head + b"".join(rows) + struct.pack(f"<{len(causes)}I", *causes) + strings)


class Notes:
    """When each operation began and ended, in ns of the wall clock (0: not yet); and where the heartbeat had gaps."""

    def __init__(self, path):
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            data = bytes(memory)
        self.count, self._wall, self._monotonic, gaps, self.beats, self.latest_beat, *_ = _NOTES_HEAD.unpack_from(data)
        at = _NOTES_HEAD.size + 16 * _GAPS
        pairs = struct.unpack_from(f"<{2 * (self.count + 1)}Q", data, at)
        self.begun, self.ended = pairs[0::2], pairs[1::2]
        #: (begin, end) of gaps in ns of the monotonic clock; the newest 4096.
        self.gaps = sorted(struct.unpack_from("<2Q", data, _NOTES_HEAD.size + 16 * i) for i in range(min(gaps, _GAPS)))

    def longest_gap(self, since=0):
        """The longest silence of the heartbeat in ns, of those that ended after a monotonic moment."""
        return max((end - begun for begun, end in self.gaps if end > since), default=0)


def program(folder, name="performer", source="performer"):
    """A fixture in C, compiled into a folder; under its name it can be found by `--exe`."""
    built = Path(folder, name)
    if not built.exists():
        processes.run(["gcc", "-O2", "-o", built, REPOSITORY_ROOT / "Tests" / "Fixtures" / f"{source}.c", "-lpthread"])
    return built


class Performer:
    """The server: a process of its own. Started at `ready`; `go(n)` lets it perform up to operation n."""

    def __init__(self, workspace, plan, data, root, rate=0, idle=0, sync=True, group=None, name="performer", wrap=()):
        self.plan, self.root, self.notes_path = plan, root, workspace.path / f"{name}.notes"
        listed = workspace.path / f"{name}.operations"
        if not listed.exists():
            plan.write(listed)
        #: Its path, which no other run's server has: for `--exe`.
        self.program = program(workspace.path, name)
        self._arguments = [*wrap, self.program, root, data, listed, self.notes_path, rate, idle, *([] if sync else ["nosync"])]
        self._errors = workspace.path / f"{name}.errors"
        self.group, self.process, self._said = group, None, b""

    def start(self):
        """Starts it, again after it was killed."""
        # In its cgroup from its first instruction on, as a service is.
        inside = ["sh", "-c", f'{self.group.command()} && exec "$@"', "sh"] if self.group else []
        with open(self._errors, "ab") as errors:
            self.process = processes.start([*inside, *self._arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0)
        self._said = b""
        self._await(b"ready\n", 20)
        return self

    def _await(self, word, seconds):
        end = time.monotonic() + seconds
        while word not in self._said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, min(0.2, end - time.monotonic())))
            piece = os.read(self.process.stdout.fileno(), 4096) if ready else None
            if piece:
                self._said += piece
            elif piece == b"" or time.monotonic() > end:
                raise processes.CommandFailed(f"the performer did not say {word} within {seconds} s: {self._errors.read_text()[-1000:]}; {Notes(self.notes_path).ended.count(0) - 1} operations are left")

    def go(self, number=None):
        """Lets it go on up to an operation (all)."""
        self.process.stdin.write(f"go {number or len(self.plan.operations)}\n".encode())

    def await_done(self, number=None, seconds=300):
        """Waits until everything up to an operation is done."""
        self._await(f"at {number or len(self.plan.operations)}\n".encode(), seconds)

    def is_done(self, number=None):
        """Whether it said so."""
        ready, _, _ = select.select([self.process.stdout], [], [], 0)
        if ready:
            self._said += os.read(self.process.stdout.fileno(), 4096)
        return f"at {number or len(self.plan.operations)}\n".encode() in self._said

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(20)
        self._close()

    def end(self):
        """Ends it."""
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()

    def _close(self):
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()

    def notes(self):
        """What it noted so far."""
        return Notes(self.notes_path)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()
