"""A seeded list of operations in the form of a recorded trace, shaped like a Weaviate data directory, with bytes of its own.

For campaigns that need more of something than the recorded traces have: any length, any share of fsyncs, a large temporary file,
many files in a tick. The names are those of the reference, so that every kind of file is among them.
"""
import random
from pathlib import Path

_POOL = 4 << 20
BUCKETS = ("objects", "property_name", "property__id", "dimensions")


class MadeTrace:
    """`operations` like a trace's; `data` is the file that holds the bytes, `bytes(operation)` gives those of a write."""

    def __init__(self, path, count, seed, shards=3, fsyncs=0.02, root_files=True):
        self.chance, self.operations, self.count = random.Random(f"made {seed}"), [], count
        self._pool = self.chance.randbytes(_POOL)
        Path(path).write_bytes(self._pool)
        self.data, self.fsyncs = str(path), fsyncs
        self._sizes, self._time = {}, 1_700_000_000_000_000_000
        self._shards = [f"/shard{i}" for i in range(shards)]
        if count:
            self._found(root_files)
        while len(self.operations) < count:
            self._act()

    def bytes(self, operation):
        """The bytes of a write."""
        return self._pool[operation["blob"]:operation["blob"] + operation["len"]]

    # Operations

    def add(self, op, path, **fields):
        """Adds one operation."""
        self.operations.append({"n": len(self.operations) + 1, "op": op, "path": path, **fields})

    def create(self, path, mode=0o644):
        """A new file."""
        self.add("create", path, mode=mode)
        self._sizes[path] = 0

    def write(self, path, offset, size):
        """Bytes anywhere."""
        self.add("write", path, off=offset, len=size, blob=self.chance.randrange(_POOL - size))
        self._sizes[path] = max(self._sizes[path], offset + size)

    def append(self, path, size):
        """Bytes at the end."""
        self.write(path, self._sizes[path], size)

    def truncate(self, path, size):
        """Cuts or stretches."""
        self.add("truncate", path, size=size)
        self._sizes[path] = size

    def rename(self, path, to):
        """Renames a file."""
        self.add("rename", path, to=to, flags=0)
        self._sizes[to] = self._sizes.pop(path)

    def unlink(self, path):
        """Removes a file."""
        self.add("unlink", path)
        del self._sizes[path]

    def fsync(self, path):
        """Makes a file durable."""
        self.add("fsync", path, datasync=0)

    # A server's life

    def _found(self, root_files):
        if root_files:
            self.add("mkdir", "/raft", mode=0o755)
            for path in ("/raft/raft.db", "/schema.db"):
                self.create(path, 0o600)
                self.append(path, 32768)
        for shard in self._shards:
            self.add("mkdir", shard, mode=0o755)
            self.add("mkdir", f"{shard}/lsm", mode=0o700)
            for bucket in BUCKETS:
                self.add("mkdir", f"{shard}/lsm/{bucket}", mode=0o700)
                self.create(self._log(shard, bucket))
            self.add("mkdir", f"{shard}/main.hnsw.commitlog.d", mode=0o755)
            self.create(f"{shard}/main.hnsw.commitlog.d/{self._stamp()}")
            for name, size in (("indexcount", 8), ("version", 2), ("proplengths", 60)):
                self.create(f"{shard}/{name}")
                self.append(f"{shard}/{name}", size)

    def _stamp(self):
        self._time += 1_000_000_007
        return self._time

    def _log(self, shard, bucket):
        return f"{shard}/lsm/{bucket}/segment-{self._stamp()}.wal"

    def _of(self, folder, ending):
        return sorted(path for path in self._sizes if path.startswith(folder) and path.endswith(ending) and "/" not in path[len(folder) + 1:])

    def _act(self):
        shard = self.chance.choice(self._shards)
        actions = ((self._request, 60), (self._flush, 3), (self._compact, 2), (self._bolt, 5), (self._graph, 15), (self._graph_switch, 1), (self._lengths, 8), (self._tenant, 1), (self._torn, 1))
        self.chance.choices([a for a, _ in actions], [w for _, w in actions])[0](shard)

    def _request(self, shard):
        self.write(f"{shard}/indexcount", 0, 8)
        for bucket in self.chance.sample(BUCKETS, self.chance.randint(1, len(BUCKETS))):
            log = self._of(f"{shard}/lsm/{bucket}", ".wal")[-1]
            self.append(log, int(min(40 + self.chance.expovariate(1 / 400), 9000)))
            if self.chance.random() < self.fsyncs:
                self.fsync(log)

    def _flush(self, shard):
        folder = f"{shard}/lsm/{self.chance.choice(BUCKETS)}"
        log = self._of(folder, ".wal")[-1]
        base = log[:-4] + f".l0.s{self.chance.randrange(6)}"
        self.create(self._log(shard, folder.rsplit("/", 1)[1]))
        self.create(f"{base}.db.tmp")
        for _ in range(self.chance.randint(1, 4)):
            self.append(f"{base}.db.tmp", self.chance.choice((900, 4096, 20_000, 70_000)))
        self.write(f"{base}.db.tmp", 0, 16)
        self.fsync(f"{base}.db.tmp")
        self.rename(f"{base}.db.tmp", f"{base}.db")
        self.unlink(log)
        for ending, size in ((".bloom", 300), (".cna", 12)):
            self.create(base + ending)
            self.append(base + ending, size)

    def _compact(self, shard):
        folder = f"{shard}/lsm/{self.chance.choice(BUCKETS)}"
        segments = self._of(folder, ".db")
        if len(segments) < 2:
            return
        left, right = segments[:2]
        number = right.rsplit("/", 1)[1].split(".")[0]
        new = f"{folder}/{number}.l1.s0"
        temporary = f"{folder}/{left.rsplit('/', 1)[1].split('.')[0]}_{number[8:]}.l1.s0.db.tmp"
        self.create(temporary)
        for _ in range(self.chance.randint(2, 8)):
            self.append(temporary, self.chance.choice((4096, 30_000, 131_072)))
        self.write(temporary, 0, 16)
        self.fsync(temporary)
        doomed = []
        for segment in (left, right):
            for path in [p for p in sorted(self._sizes) if p.startswith(segment[:-2]) and not p.endswith(".tmp")]:
                gone = f"{path}.{self._stamp() % 10 ** 13:013d}.deleteme"
                self.rename(path, gone)
                doomed.append(gone)
        self.rename(temporary, f"{new}.db")
        for gone in doomed:
            self.unlink(gone)

    def _bolt(self, shard):
        path = self.chance.choice([p for p in ("/raft/raft.db", "/schema.db") if p in self._sizes] or [f"{shard}/indexcount"])
        if path.endswith("indexcount"):
            return
        for page in sorted(self.chance.sample(range(2, 30), 3)):
            self.write(path, page * 4096, 4096)
        self.fsync(path)
        self.write(path, self.chance.randrange(2) * 4096, 4096)
        self.fsync(path)

    def _graph(self, shard):
        log = self._of(f"{shard}/main.hnsw.commitlog.d", "")[-1]
        self.append(log, self.chance.choice((30, 200, 1500, 40_000 if self.chance.random() < 0.1 else 300)))

    def _graph_switch(self, shard):
        folder = f"{shard}/main.hnsw.commitlog.d"
        logs = [path for path in self._of(folder, "") if path.rsplit("/", 1)[1].isdigit()]
        self.create(f"{folder}/{self._stamp()}")
        temporary = f"{folder}/{logs[0].rsplit('/', 1)[1]}.sorted.tmp"
        self.create(temporary)
        self.append(temporary, 20_000)
        self.fsync(temporary)
        self.rename(temporary, temporary[:-4])
        self.unlink(logs[0])
        if self.chance.random() < 0.6:
            self.unlink(temporary[:-4])
        self.fsync(f"{folder}/{self._time}")

    def _lengths(self, shard):
        path = f"{shard}/proplengths"
        self.create(f"{path}.tmp")
        self.append(f"{path}.tmp", self.chance.randint(40, 90))
        self.rename(f"{path}.tmp", path)

    def _tenant(self, shard):
        folder = f"{shard}/tenant{self._stamp() % 10 ** 9}"
        self.add("mkdir", folder, mode=0o755)
        self.create(f"{folder}/segment-{self._time}.wal")
        self.append(f"{folder}/segment-{self._time}.wal", 700)
        if self.chance.random() < 0.7:
            gone = f"{folder}.{self._time}.0a1b2c3d.deleteme"
            self.add("rename", folder, to=gone, flags=0)
            del self._sizes[f"{folder}/segment-{self._time}.wal"]
            self.add("unlink", f"{gone}/segment-{self._time}.wal")
            self.add("rmdir", gone)

    def _torn(self, shard):
        """A torn end that a load cuts off, and the log goes on."""
        log = self._of(f"{shard}/main.hnsw.commitlog.d", "")[-1]
        if self._sizes[log] > 100:
            self.truncate(log, self._sizes[log] - self.chance.randint(1, 90))
            self.append(log, 120)
