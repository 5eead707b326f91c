"""Judge whether a tree is a state that a performer (performing.py) can have left at a moment.

At the moment T: every operation that had ended by T is there; none that began after T is; of those in flight (at most one a
thread, and none depends on another) each is there or not, a write perhaps up to a page boundary, as a kill would tear it. Nothing
else differs: names, kinds, modes, sizes, link counts, targets, bytes. From this follows that no effect is there without its cause.
"""
import compare_trees
import performing
from performed_tree import Directory
from trace_model import differing

PAGE = 4096


class PerformedJudge:
    """Judges trees at ascending moments."""

    def __init__(self, operations, read, notes, already=0):
        """`already`: operations that were made before the notes begin."""
        self.operations, self.notes, self.tree = operations, notes, Directory(read)
        self._order = sorted((o for o in operations if notes.ended[o["n"]]), key=lambda o: (notes.ended[o["n"]], o["n"]))
        self._open = [o for o in operations if notes.begun[o["n"]] and not notes.ended[o["n"]]]
        self._applied, self._reach = 0, []
        self._paths = None

    def judge(self, have, moment):
        """The lines about what no state at `moment` can show; `have` is from compare_trees.scan. Also how many were in flight."""
        notes = self.notes
        while self._applied < len(self._order) and notes.ended[self._order[self._applied]["n"]] <= moment:
            self.tree.apply(self._order[self._applied])
            self._applied += 1
        # Later ones end later, but may have begun before: no more than there are threads, among those that come next.
        candidates = [o for o in self._order[self._applied:self._applied + 5000] if notes.begun[o["n"]] <= moment]
        candidates += [o for o in self._open if notes.begun[o["n"]] <= moment]
        tree, there = self.tree, 0
        for operation in candidates:
            made = self._shown(operation, tree, have)
            if made:
                tree, there = tree.tried(made), there + 1
        have = {path: entry for path, entry in have.items() if path != performing.HELD}
        return [f"{self._when(path, tree, have.get(path), moment)}{path}: {what}" for path, what in differing(tree, have)], len(candidates), there

    def _shown(self, o, tree, have):
        """The operation in flight as far as the tree shows it; None where it does not."""
        kind, path = o["op"], o["path"]
        if kind in ("create", "mkdir", "symlink"):
            return o if path in have and path not in tree.names else None
        if path not in tree.names:
            return None
        if kind in ("unlink", "rmdir", "rename"):
            return o if path not in have else None
        if kind == "link":
            return o if o["to"] in have else None
        entry = have.get(path)
        if entry is None:
            return None
        if kind == "write":
            new, shown = self.tree.read(o), entry.data[o["off"]:o["off"] + o["len"]] if entry.kind == "f" else b""
            same = compare_trees.first_difference(new, shown)
            if same < len(new):
                same = max(0, (o["off"] + same) // PAGE * PAGE - o["off"])
            return {**o, "part": same} if same else None
        if kind in ("truncate", "fallocate", "chmod"):
            after = tree.tried(o).names[path]
            return o if (after.get("data"), after["mode"]) == (entry.data, entry.mode) else None
        return None

    def _when(self, path, tree, entry, moment):
        """Which operation of a path should (not) be there, for a person who looks for the reason."""
        if self._paths is None:
            self._paths = {}
            for o in self.operations:
                for name in (o["path"], o.get("to")):
                    if name:
                        self._paths.setdefault(name, []).append(o)
        lost = future = None
        node = tree.names.get(path)
        for o in self._paths.get(path, ()):
            begun, ended = self.notes.begun[o["n"]], self.notes.ended[o["n"]]
            if o["op"] == "write" and entry is not None and entry.kind == "f" and node is not None:
                shown = entry.data[o["off"]:o["off"] + o["len"]] == self.tree.read(o)
                if not shown and ended and ended <= moment and node["data"][o["off"]:o["off"] + o["len"]] == self.tree.read(o):
                    lost = lost or f"lost: operation {o['n']} (write at {o['off']}), which ended {(moment - ended) / 1e3:.0f} µs before the cut: "
                if shown and begun > moment and o["len"]:
                    future = f"future: operation {o['n']} (write at {o['off']}), which began {(begun - moment) / 1e3:.0f} µs after the cut: "
            elif o["op"] in ("create", "mkdir", "unlink", "rmdir", "rename", "link", "symlink") and (entry is None) != (node is None):
                near = min(abs(begun - moment), abs((ended or 1 << 62) - moment))
                if begun and near < 5_000_000_000:
                    lost = f"near operation {o['n']} ({o['op']} {o['path']}{' to ' + o['to'] if o.get('to') else ''}; {(begun - moment) / 1e3:+.0f}…{(ended - moment) / 1e3:+.0f} µs from the cut): "
        return lost or future or ""
