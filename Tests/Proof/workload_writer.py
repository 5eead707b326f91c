"""One writer of the workload: a shard of files, and what a database does to them."""
import ctypes
import errno
import os
import time

import units
from trace_drive import GONE

_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = _libc.fallocate
_fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_PUNCH_HOLE_KEEP_SIZE = 3

BUCKETS = ("objects", "property_name", "property__id")
PAGE = 4096


class Interrupted(Exception):
    """The mount went away during a call."""


class Writer:
    """Calls are made through `call`, which numbers and logs them. What the writer has on disk it finds by looking (`look`),
    so it can go on after a crash. Only its own shard, links in it, its entries in /drop and the shared log are touched."""

    def __init__(self, root, index, writers, chance, tokens, log, stop, sequence):
        self.root, self.index, self.writers, self.chance = root, index, writers, chance
        self.tokens, self.log, self.stop, self.sequence = tokens, log, stop, sequence
        self.home = f"/shard{index}"
        self.ledger = f"/ledger/{index}.wal"
        self.descriptors = {}
        self.least = units.header_size(writers)
        self.syncs = True
        self.counter = sequence

    # Calls

    def call(self, op, action, path, **fields):
        """Makes one system call as operation `op`; logs it with the times around it."""
        self.sequence += 1
        row = {"w": self.index, "s": self.sequence, "op": op, "path": path, **fields, "b": time.time_ns(), "e": None}
        try:
            result = action()
        except OSError as problem:
            if problem.errno in GONE:
                self.log.add(row)
                raise Interrupted() from problem
            raise OSError(problem.errno, f"{op} {path}: {problem.strerror}") from problem
        row["e"] = time.time_ns()
        self._finish(row, result)
        return result

    def _finish(self, row, result):
        if row["op"] == "write" and result != row["n"]:
            # The mount ended between two parts of one write.
            row["e"] = None
            self.log.add(row)
            raise Interrupted()
        self.log.add(row)

    def full(self, path):
        """The path to give to the system."""
        return self.root + path

    def open(self, path, flags=os.O_RDWR):
        """A descriptor for a file that is there; kept until `close`."""
        if path not in self.descriptors:
            self.descriptors[path] = os.open(self.full(path), flags | os.O_CLOEXEC)
        return self.descriptors[path]

    def close(self, path):
        """Closes the descriptor of a path, if there is one."""
        descriptor = self.descriptors.pop(path, None)
        if descriptor is not None:
            try:
                os.close(descriptor)
            except OSError as problem:
                if problem.errno in GONE:
                    raise Interrupted() from problem
                raise

    def create(self, path, mode=0o644, append=False):
        """Makes a new file and keeps it open."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | (os.O_APPEND if append else 0)
        self.descriptors[path] = self.call("create", lambda: os.open(self.full(path), flags, mode), path, mode=mode)

    def write(self, path, offset, size, descriptor=None, named=True):
        """Writes a unit of `size` bytes (more when a unit cannot be so small)."""
        size, known = max(size, self.least), self.tokens.all()
        descriptor = descriptor if descriptor is not None else self.open(path)
        data = units.build(self.index, self.sequence + 1, known, size)
        self.call("write", lambda: os.pwrite(descriptor, data, offset), path if named else None, off=offset, n=size, k="unit", d=known)
        return size

    def write_raw(self, path, offset, size):
        """Writes bytes that are no unit."""
        data = units.raw(self.index, self.sequence + 1, size)
        self.call("write", lambda: os.pwrite(self.open(path), data, offset), path, off=offset, n=size, k="raw")

    def append(self, path, size):
        """Appends a unit to a file that only this writer appends to."""
        return self.write(path, os.fstat(self.open(path)).st_size, size)

    def truncate(self, path, size):
        """Cuts or stretches a file."""
        self.call("truncate", lambda: os.ftruncate(self.open(path), size), path, size=size)

    def fsync(self, path, data_only=False):
        """Makes a file durable, unless this workload never does."""
        if self.syncs:
            self.call("fsync", lambda: (os.fdatasync if data_only else os.fsync)(self.open(path)), path)

    def rename(self, path, to):
        """Renames, also over what is there; descriptors of both names are closed."""
        self.close(path)
        self.close(to)
        self.call("rename", lambda: os.rename(self.full(path), self.full(to)), path, to=to)

    def unlink(self, path, held=False):
        """Removes a name; with `held` its descriptor stays open and is returned."""
        descriptor = self.descriptors.pop(path, None)
        if descriptor is not None and not held:
            os.close(descriptor)
        self.call("unlink", lambda: os.unlink(self.full(path)), path)
        return descriptor if held else None

    def mkdir(self, path, mode=0o755):
        """Makes a directory."""
        self.call("mkdir", lambda: os.mkdir(self.full(path), mode), path, mode=mode)

    def exists(self, path):
        """Whether a name is there."""
        return os.path.lexists(self.full(path))

    def list(self, path):
        """The names in a directory, sorted."""
        return sorted(os.listdir(self.full(path)))

    def next(self):
        """A number that this writer never used before."""
        self.counter += 1
        return f"{self.counter:08d}"

    # The life of a writer

    def found(self):
        """Makes what all writers share. Called once, before any of them runs."""
        for path in ("/ledger", "/shared", "/drop"):
            if not self.exists(path):
                self.mkdir(path)
        if not self.exists("/shared/all.wal"):
            self.create("/shared/all.wal", 0o666)
            self.close("/shared/all.wal")
        for writer in range(self.writers):
            if not self.exists(f"/ledger/{writer}.wal"):
                self.create(f"/ledger/{writer}.wal")
                self.close(f"/ledger/{writer}.wal")
        self.recover_tail(self.ledger)
        self.recover_shared()
        self.note()

    def run(self, until, pause):
        """Acts until told to stop."""
        self.recover()
        actions, weights = zip(*self.actions())
        while time.monotonic() < until and not self.stop[0]:
            self.chance.choices(actions, weights)[0]()
            self.note()
            if pause:
                time.sleep(self.chance.random() * pause)
        for path in list(self.descriptors):
            self.close(path)

    def note(self):
        """Writes into the ledger how far this writer is, then lets the others know."""
        self.append(self.ledger, self.least)
        self.tokens.publish(self.index, self.sequence)

    def actions(self):
        """What it does and how often."""
        return ((self.append_log, 60), (self.append_shared, 15), (self.flush, 4), (self.compact, 3), (self.bolt_commit, 6), (self.index_count, 10),
                (self.property_lengths, 5), (self.hnsw_append, 20), (self.hnsw_switch, 1), (self.hnsw_convert, 1), (self.tenant_create, 1.5),
                (self.tenant_write, 4), (self.tenant_drop, 1), (self.reap, 2), (self.hard_link, 1), (self.symbolic_link, 1), (self.torn_tail, 1),
                (self.attributes, 2), (self.unlink_open, 1), (self.holes, 1), (self.empty, 1), (self.purge, 2))

    # Recovery

    def recover_tail(self, path):
        """Cuts off what a crash left torn at the end of a file of units."""
        with open(self.full(path), "rb") as file:
            data = file.read()
        good = units.whole_prefix(data)
        if good < len(data):
            self.truncate(path, good)

    def recover_shared(self):
        """The same for the log that all append to; only the founder does it, before the others run. Appends in flight at a crash
        may have left a torn unit in the middle; then the log begins anew under another name."""
        with open(self.full("/shared/all.wal"), "rb") as file:
            data = file.read()
        if units.whole_prefix(data) < len(data):
            self.rename("/shared/all.wal", f"/shared/torn-{self.next()}.wal")
            self.create("/shared/all.wal", 0o666)
            self.close("/shared/all.wal")

    def recover(self):
        """Makes the shard, or brings what a crash left into order."""
        for path in (self.home, f"{self.home}/lsm", *(f"{self.home}/lsm/{b}" for b in BUCKETS), f"{self.home}/hnsw", f"{self.home}/tenants", f"{self.home}/links"):
            if not self.exists(path):
                self.mkdir(path)
        self.recover_tail(self.ledger)
        for bucket in BUCKETS:
            for name in self.list(f"{self.home}/lsm/{bucket}"):
                path = f"{self.home}/lsm/{bucket}/{name}"
                if name.endswith(".tmp"):
                    self.unlink(path)
                elif name.endswith(".wal"):
                    self.recover_tail(path)
        for name in self.list(f"{self.home}/hnsw"):
            if name.endswith(".tmp"):
                self.unlink(f"{self.home}/hnsw/{name}")
            elif name.endswith(".log"):
                self.recover_tail(f"{self.home}/hnsw/{name}")
        for name in self.list(self.home):
            if name.endswith(".tmp"):
                self.unlink(f"{self.home}/{name}")
        for name in ("indexcount", "raft.db", "holes.bin"):
            if not self.exists(f"{self.home}/{name}"):
                self.create(f"{self.home}/{name}", 0o600 if name == "raft.db" else 0o644)
        self.note()

    # Logs and segments

    def bucket(self):
        """One of the buckets."""
        return f"{self.home}/lsm/{self.chance.choice(BUCKETS)}"

    def of_kind(self, folder, ending):
        """The files of a folder with an ending, oldest first."""
        return [f"{folder}/{name}" for name in self.list(folder) if name.endswith(ending)]

    def log_size(self):
        """Mostly small, now and then more than a page."""
        return int(min(60 + self.chance.expovariate(1 / 300), 9000))

    def append_log(self, bucket=None):
        """A request: an append to the log of one to three buckets."""
        for _ in range(self.chance.randint(1, 3)):
            bucket = self.bucket()
            logs = self.of_kind(bucket, ".wal")
            if not logs:
                logs = [f"{bucket}/segment-{self.next()}.wal"]
                self.create(logs[0], append=True)
            self.append(logs[-1], self.log_size())

    def append_shared(self):
        """An append whose place the kernel chooses, among those of the others."""
        path, size, known = "/shared/all.wal", self.log_size(), self.tokens.all()
        size = max(size, self.least)
        descriptor = self.open(path, os.O_RDWR | os.O_APPEND)
        data = units.build(self.index, self.sequence + 1, known, size)
        self.sequence += 1
        row = {"w": self.index, "s": self.sequence, "op": "write", "path": path, "n": size, "k": "unit", "d": known, "b": time.time_ns(), "e": None}
        try:
            written = os.write(descriptor, data)
        except OSError as problem:
            # Where it would have gone nobody knows: it is looked for by what it holds (see crashes.py).
            row["off"] = None
            self.log.add(row)
            if problem.errno in GONE:
                raise Interrupted() from problem
            raise
        row["e"] = time.time_ns()
        row["off"] = os.lseek(descriptor, 0, os.SEEK_CUR) - written
        self._finish(row, written)

    def flush(self):
        """A log becomes a segment."""
        bucket = self.bucket()
        logs = self.of_kind(bucket, ".wal")
        if not logs:
            return
        log, base = logs[0], logs[0][:-4]
        self.fsync(log)
        self.close(log)
        self.segment(f"{base}.db.tmp", self.chance.randint(1, 5))
        self.rename(f"{base}.db.tmp", f"{base}.db")
        self.unlink(log)
        for derived in (".bloom", ".cna"):
            self.create(base + derived)
            self.write(base + derived, 0, 200)
            self.close(base + derived)

    def segment(self, path, chunks):
        """A segment in a tmp: a header of zeros first, then the body, then the real header over it."""
        self.create(path)
        self.write_raw(path, 0, self.least)
        at = self.least
        for _ in range(chunks):
            at += self.write(path, at, self.chance.choice((700, 4096, 20_000, 70_000, 300_000)))
        self.write(path, 0, self.least)
        self.fsync(path)
        self.close(path)

    def compact(self):
        """Two segments become one, whose name is that of the right one; or one is rewritten in place by a rename over it."""
        bucket = self.bucket()
        segments = self.of_kind(bucket, ".db")
        if len(segments) < 2:
            return
        at = self.chance.randrange(len(segments) - 1)
        left, right = segments[at], segments[at + 1]
        temporary = f"{right[:-3]}.merged.db.tmp"
        self.segment(temporary, self.chance.randint(1, 4))
        if self.chance.random() < 0.3:
            self.rename(temporary, right)
            return
        for old in (left, right):
            for path in (old[:-3] + ".bloom", old[:-3] + ".cna", old):
                if self.exists(path):
                    self.rename(path, f"{path}.{self.next()}.deleteme")
        self.rename(temporary, right)

    def purge(self):
        """What was set aside is unlinked, sometimes while somebody still reads it."""
        for path in self.of_kind(self.bucket(), ".deleteme"):
            if self.chance.random() < 0.5:
                self.open(path)
            descriptor = self.unlink(path, held=True)
            if descriptor is not None:
                os.pread(descriptor, 4096, 0)
                os.close(descriptor)

    # In place

    def bolt_commit(self):
        """Pages, fdatasync, the meta page of the other parity, fdatasync; the file grows by truncation."""
        path = f"{self.home}/raft.db"
        pages = os.fstat(self.open(path)).st_size // PAGE
        if pages < 4:
            self.truncate(path, 8 * PAGE)
            pages = 8
        elif pages < 96 and self.chance.random() < 0.1:
            self.truncate(path, (pages + 4) * PAGE)
        for page in sorted(self.chance.sample(range(2, pages), self.chance.randint(1, min(4, pages - 2)))):
            self.write(path, page * PAGE, PAGE)
        self.fsync(path, data_only=True)
        self.write(path, (self.sequence % 2) * PAGE, PAGE)
        self.fsync(path, data_only=True)

    def index_count(self):
        """Eight bytes in place."""
        path, value = f"{self.home}/indexcount", self.sequence + 1
        self.call("write", lambda: os.pwrite(self.open(path), value.to_bytes(8, "little"), 0), path, off=0, n=8, k="number", v=value)

    def property_lengths(self):
        """A small file by tmp and rename, without fsync."""
        path = f"{self.home}/proplengths"
        self.create(f"{path}.tmp")
        self.write(f"{path}.tmp", 0, self.log_size())
        self.rename(f"{path}.tmp", path)

    def holes(self):
        """Space is reserved, stretched or punched out again."""
        path = f"{self.home}/holes.bin"
        size = os.fstat(self.open(path)).st_size
        choice = self.chance.random()
        if choice < 0.4 or size == 0:
            self.write_raw(path, self.chance.randrange(0, size + 50_000), self.chance.choice((self.chance.randint(1, 30_000), self.chance.randint(30_000, 300_000))))
        elif choice < 0.6:
            self.truncate(path, self.chance.randrange(0, 2 * size))
        else:
            mode = 0 if choice < 0.8 else _PUNCH_HOLE_KEEP_SIZE
            offset, length = self.chance.randrange(0, size), self.chance.randint(1, 40_000)

            def action():
                if _fallocate(self.open(path), mode, offset, length) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            try:
                self.call("fallocate", action, path, mode=mode, off=offset, n=length)
            except OSError as problem:
                if problem.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
                self.sequence -= 1  # refused: nothing happened, nothing was logged

    def empty(self):
        """A derived file is opened with O_TRUNC and written anew."""
        files = self.of_kind(self.bucket(), ".bloom")
        if files:
            path = self.chance.choice(files)
            self.close(path)
            self.descriptors[path] = self.call("truncate", lambda: os.open(self.full(path), os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC), path, size=0)
            self.write(path, 0, 200)
            self.close(path)

    def torn_tail(self):
        """Half a record lands at the end of a log and is cut off again."""
        logs = self.of_kind(self.bucket(), ".wal")
        if logs:
            size = os.fstat(self.open(logs[-1])).st_size
            self.write_raw(logs[-1], size, self.chance.randint(1, 300))
            self.truncate(logs[-1], size)

    # The graph's logs

    def hnsw_append(self):
        """An append to the newest log of the graph."""
        logs = self.of_kind(f"{self.home}/hnsw", ".log")
        if not logs:
            self.hnsw_switch()
            logs = self.of_kind(f"{self.home}/hnsw", ".log")
        self.append(logs[-1], self.log_size())

    def hnsw_switch(self):
        """The graph begins a new log."""
        logs = self.of_kind(f"{self.home}/hnsw", ".log")
        if logs:
            self.fsync(logs[-1])
            self.close(logs[-1])
        self.create(f"{self.home}/hnsw/{self.next()}.log", append=True)

    def hnsw_convert(self):
        """An old log becomes a sorted one."""
        logs = self.of_kind(f"{self.home}/hnsw", ".log")[:-1]
        if logs:
            self.close(logs[0])
            self.segment(f"{logs[0][:-4]}.sorted.tmp", 2)
            self.rename(f"{logs[0][:-4]}.sorted.tmp", f"{logs[0][:-4]}.sorted")
            self.unlink(logs[0])
        sorted_logs = self.of_kind(f"{self.home}/hnsw", ".sorted")
        if len(sorted_logs) > 4:
            self.unlink(sorted_logs[0])

    # Tenants

    def tenant_create(self):
        """A directory with files in directories."""
        if len(self.list(f"{self.home}/tenants")) > 6:
            return
        path = f"{self.home}/tenants/t{self.next()}"
        self.mkdir(path)
        self.mkdir(f"{path}/lsm")
        for name in ("indexcount", "lsm/objects.wal"):
            self.create(f"{path}/{name}")
            self.write(f"{path}/{name}", 0, 100)
            self.close(f"{path}/{name}")

    def tenant_write(self):
        """An append inside a tenant."""
        tenants = self.list(f"{self.home}/tenants")
        if tenants:
            path = f"{self.home}/tenants/{self.chance.choice(tenants)}/lsm/objects.wal"
            if self.exists(path):
                self.append(path, self.log_size())

    def tenant_drop(self):
        """The whole directory is renamed away; another writer will remove it."""
        tenants = self.list(f"{self.home}/tenants")
        if tenants:
            path = f"{self.home}/tenants/{self.chance.choice(tenants)}"
            for held in [held for held in self.descriptors if held.startswith(path + "/")]:
                self.close(held)
            heir = self.chance.randrange(self.writers)
            self.rename(path, f"/drop/{heir}-{self.index}-{self.sequence + 1}.deleteme")

    def reap(self):
        """Removes what was dropped for this writer, once its dropper has said so."""
        known = self.tokens.all()
        for name in self.list("/drop"):
            heir, dropper, sequence = (int(part) for part in name.split(".")[0].split("-"))
            if heir == self.index and known[dropper] >= sequence:
                self.remove_tree(f"/drop/{name}")

    def remove_tree(self, path):
        """Removes a directory with all in it."""
        for name in self.list(path):
            inside = f"{path}/{name}"
            if os.path.isdir(self.full(inside)):
                self.remove_tree(inside)
            else:
                self.unlink(inside)
        self.call("rmdir", lambda: os.rmdir(self.full(path)), path)

    # Links, attributes

    def hard_link(self):
        """A backup links a segment, writes through the new name's metadata, and lets go again."""
        links = [name for name in self.list(f"{self.home}/links") if name.startswith("hard")]
        if len(links) > 3:
            self.unlink(f"{self.home}/links/{links[0]}")
        files = self.of_kind(self.bucket(), ".db") + self.of_kind(self.bucket(), ".wal")
        if files:
            path, to = self.chance.choice(files), f"{self.home}/links/hard-{self.next()}"
            self.call("link", lambda: os.link(self.full(path), self.full(to)), path, to=to)
            if self.chance.random() < 0.4:
                self.append(to, self.log_size())
                self.close(to)

    def symbolic_link(self):
        """A symbolic link comes, is replaced by a rename over it, or goes."""
        folder = f"{self.home}/links"
        links = [name for name in self.list(folder) if name.startswith("soft")]
        path, target = f"{folder}/soft-{self.next()}", f"../lsm/objects/nowhere-{self.counter}"
        if len(links) > 4:
            self.unlink(f"{folder}/{links[0]}")
        self.call("symlink", lambda: os.symlink(target, self.full(path)), path, target=target)
        if links and self.chance.random() < 0.5:
            self.rename(path, f"{folder}/{links[-1]}")

    def attributes(self):
        """Extended attributes, modes and owners change."""
        files = self.of_kind(self.bucket(), ".db")
        if not files:
            return
        path, choice = self.chance.choice(files), self.chance.random()
        if choice < 0.4:
            value = f"{self.sequence}" * self.chance.randint(1, 20)
            self.call("setxattr", lambda: os.setxattr(self.full(path), "user.checked", value.encode()), path, name="user.checked", value=value)
        elif choice < 0.55 and "user.checked" in os.listxattr(self.full(path)):
            self.call("removexattr", lambda: os.removexattr(self.full(path), "user.checked"), path, name="user.checked")
        elif choice < 0.8:
            mode = self.chance.choice((0o600, 0o640, 0o644, 0o444))
            self.call("chmod", lambda: os.chmod(self.full(path), mode), path, mode=mode)
        elif os.geteuid() == 0:
            uid, gid = self.chance.choice(((0, 0), (1000, 1000), (1000, 0)))
            self.call("chown", lambda: os.chown(self.full(path), uid, gid), path, uid=uid, gid=gid)

    def unlink_open(self):
        """A scratch file is written on after its name is gone."""
        path = f"{self.home}/scratch-{self.next()}"
        self.create(path)
        self.write(path, 0, 500)
        descriptor = self.unlink(path, held=True)
        try:
            self.write(path, 500, 5000, descriptor=descriptor, named=False)
        finally:
            try:
                os.close(descriptor)
            except OSError:
                pass
