"""The log of a workload: one JSON object a line.

The first line is {"workload": 1, "seed": …, "writers": N}. Every other line is one system call of one writer: `w` writer, `s`
its sequence number (1, 2, 3 … without holes), `b` and `e` wall clock in ns just before and just after it, `op`, `path` (None
for a file that has no name any more) and the operation's own fields. `e` is null where the call failed because the mount was
gone: it may have taken effect or not. What was found out about it later is a line with `resolved`: {"w", "s", "resolved":
true|false, "part": bytes or absent, "off": where a shared append landed, "e": when}.
"""
import json
import os


class Writing:
    """Appends lines; every line is one write(2), so threads and processes may share the file."""

    def __init__(self, path):
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, row):
        """Appends one line."""
        os.write(self._descriptor, (json.dumps(row, separators=(",", ":")) + "\n").encode())

    def close(self):
        """Closes the file."""
        os.close(self._descriptor)


class Log:
    """A log that was read."""

    def __init__(self, path):
        self.seed, self.writers, self.operations = None, 0, []
        resolved = {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if "workload" in row:
                    self.seed, self.writers = row["seed"], row["writers"]
                elif "resolved" in row:
                    resolved[row["w"], row["s"]] = row
                else:
                    self.operations.append(row)
        self.by_writer = [[] for _ in range(self.writers)]
        for operation in self.operations:
            self.by_writer[operation["w"]].append(operation)
            self._resolve(operation, resolved.get((operation["w"], operation["s"])))
        for writer, mine in enumerate(self.by_writer):
            mine.sort(key=lambda o: o["s"])
            if [o["s"] for o in mine] != list(range(1, len(mine) + 1)):
                raise ValueError(f"{path}: the operations of writer {writer} are not numbered 1, 2, 3 …")
        self.operations.sort(key=lambda o: o["b"])

    @staticmethod
    def _resolve(operation, row):
        """Notes on an operation that met the end of the mount what became of it. `maybe` stays set: until `e` it is open."""
        if operation["e"] is None:
            operation["maybe"] = True
            if row is not None:
                operation["e"] = row["e"]
                operation["done"] = row["resolved"]
                operation["kept"] = row.get("part")
                if "off" in row:
                    operation["off"] = row["off"]

    def last_sequences(self):
        """The last sequence number of every writer."""
        return [len(mine) for mine in self.by_writer]

    def unresolved(self):
        """Operations of which nobody knows yet whether they took effect."""
        return [o for o in self.operations if o["e"] is None]
