"""A recorded trace: its operations, the instants worth looking at, and the directory after each operation as a model in memory.

The model is the recording's own `trace.py`; here it is only advanced step by step and compared with a folder byte by byte.
"""
import hashlib
import json
import random
import subprocess

import compare_trees
from shared_material import trace_folder, trace_module


class RecordedTrace:
    """One recorded trace with its own `trace.py`."""

    def __init__(self, name):
        folder = trace_folder(name)
        if folder is None:
            raise SystemExit(f"{name}: no such trace (ASOF_TEST_SHARED names the folder that holds traces/)")
        self.folder, self.name, self.module = folder, folder.name, trace_module(folder)
        self.trace = self.module.Trace(str(folder))
        self.operations = self.trace.ops
        assert [o["n"] for o in self.operations] == list(range(1, len(self.operations) + 1)), "operations are numbered 1, 2, 3 …"

    def marks(self, upto=None):
        """The operations after which the recording copied the real directory."""
        return [o["n"] for o in self.operations[:upto] if o["op"] == "mark"]

    def kills(self):
        """The last operations before each kill -9 and each stop of the recorded server."""
        times = []
        truth = self.folder / "truth.jsonl.zst"
        if truth.exists():
            lines = subprocess.run(["zstd", "-dc", str(truth)], capture_output=True, check=True).stdout.decode().splitlines()
            times = [event["t"] for event in map(json.loads, lines) if event["op"] in ("server-kill9", "server-stop")]
        return [max((o["n"] for o in self.operations if o["t"] <= time), default=1) for time in times]

    def manifest(self, mark):
        """The real directory at a mark, as path → (kind, mode, size, sha256)."""
        rows = {}
        for line in (self.folder / "marks" / f"{mark}.manifest").read_text(errors="surrogateescape").splitlines():
            kind, mode, size, digest, path = line.split(" ", 4)
            rows[path] = (kind, int(mode, 8), int(size), digest)
        return rows

    def instants(self, count, seed, upto=None):
        """All marks, and `count` other operations to look after: half of them anywhere, half where it hurts (just before and
        after renames, truncations, unlinks and removals of directories; around each kill of the server). Ascending."""
        last = min(upto or len(self.operations), len(self.operations))
        chance = random.Random(f"{self.name} {seed}")
        marks, chosen = set(self.marks(last)), set()
        for kill in self.kills():
            chosen.update(n for n in range(kill - 2, kill + 4) if 1 <= n <= last)
        chosen -= marks
        hard = {kind: [o["n"] for o in self.operations[:last] if o["op"] == kind] for kind in ("rename", "truncate", "unlink", "rmdir", "link", "fallocate")}
        hard = [numbers for numbers in hard.values() if numbers]
        while len(chosen) < min(count, last - len(marks)):
            if len(chosen) % 2 and hard:
                at = chance.choice(chance.choice(hard))
                chosen.update(n for n in (at - 1, at) if 1 <= n <= last and n not in marks)
            else:
                chosen.add(chance.randint(1, last))
            chosen -= marks
        return sorted(marks | chosen)


class Model:
    """The directory after operation `position`, advanced forwards."""

    def __init__(self, recorded):
        self.recorded, self.position = recorded, 0
        self.tree = recorded.module.Tree(recorded.trace)

    def advance(self, to):
        """Applies the operations up to and including `to`."""
        assert to >= self.position, "a model goes forwards only"
        for operation in self.recorded.operations[self.position:to]:
            self.tree.apply(operation)
        self.position = to
        return self

    def differences(self, folder):
        """How a folder differs from the model: names, kinds, modes, sizes, link counts, targets and every byte."""
        found = differing(self.tree, compare_trees.scan(folder, attributes=False))
        return [f"{what} {path}" if what in ("missing", "extra") else f"differs {path}: {what}" for path, what in found]

    def differences_from_mark(self):
        """How the model differs from the copy of the real directory at the mark it stands at: whether the model is right."""
        want, have = self.recorded.manifest(self.position), {}
        for path, node in self.tree.names.items():
            if node["kind"] == "d":
                have[path] = ("d", node["mode"], 0, "-")
            elif node["kind"] == "f":
                have[path] = ("f", node["mode"], len(node["data"]), hashlib.sha256(node["data"]).hexdigest())
        return [f"{path}: the real directory has {want.get(path)}, the model {have.get(path)}"
                for path in sorted(want.keys() | have.keys()) if path != "/" and want.get(path) != have.get(path)]


def differing(tree, have):
    """How a scanned tree differs from a model of one: pairs of path and what. The root's own attributes are not the trace's."""
    links = {}
    for node in tree.names.values():
        links[id(node)] = links.get(id(node), 0) + 1
    found = []
    for path in sorted(tree.names.keys() | have.keys()):
        want, entry = tree.names.get(path), have.get(path)
        if path == "/":
            continue
        if entry is None:
            found.append((path, "missing"))
        elif want is None:
            found.append((path, "extra"))
        else:
            found += [(path, what) for what in _fields(want, entry, links[id(want)])]
    return found


def _fields(want, entry, links):
    if want["kind"] != entry.kind:
        yield f"kind: want {want['kind']} have {entry.kind}"
    elif entry.kind == "l":
        if want["target"] != entry.target:
            yield f"target: want {want['target']} have {entry.target}"
    else:
        if want["mode"] != entry.mode:
            yield f"mode: want {want['mode']:04o} have {entry.mode:04o}"
        if entry.kind == "f":
            if links != entry.links:
                yield f"links: want {links} have {entry.links}"
            if len(want["data"]) != entry.size:
                yield f"size: want {len(want['data'])} have {entry.size}"
            if want["data"] != entry.data:
                yield f"content: {len(want['data'])} bytes want, {len(entry.data)} have, different from byte {compare_trees.first_difference(want['data'], entry.data)}"
