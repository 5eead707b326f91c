#!/usr/bin/env python3
"""Judge whether a tree is a state of the workload that wrote it.

  check_cut.py TREE LOG [--time NS]

A workload (workload.py) numbers its system calls per writer; what it writes says who wrote it, as which call, and what that
writer knew of all others by then. Its ledgers (/ledger/<writer>.wal) say how far every writer has come. From this follows:

  cause    nothing is there that knew of something that is not there (judged by the tree alone, no clock)
  lost     nothing is missing that had finished before the cut
  future   nothing is there that began after the cut
  torn     no unit is half there, except one whose write was in flight
  prefix   of several appends in flight in one file, no later one is there without the whole of the earlier ones
  differs  everything else (kinds, modes, owners, links, attributes, targets, bytes) is as the calls made it

With --time the cut is at that moment: a call that ended by then must be there, one that began later must not, one in flight may
be there, wholly or (a write) up to some byte. Without, the cut is where the ledgers in the tree say it is. Exit 1 on any violation.
"""
import argparse
import sys
import zlib
from dataclasses import dataclass, field

import compare_trees
import units
from workload_log import Log
from workload_model import Tree, bytes_of

LEDGERS = "/ledger/"


def ledger_path(writer):
    """Where a writer notes how far it has come."""
    return f"{LEDGERS}{writer}.wal"


@dataclass
class Violation:
    """One thing that no state of the workload can show."""

    kind: str
    path: str
    what: str

    def __str__(self):
        return f"{self.kind}: {self.path}: {self.what}"


@dataclass
class Verdict:
    """What was found at a cut."""

    violations: list = field(default_factory=list)
    #: (writer, sequence) → bytes that are there (writes) or True, of the calls in flight that took effect.
    in_flight: dict = field(default_factory=dict)
    #: The tree as it was fitted: what the calls made, those in flight that are there included.
    tree: Tree = None

    def kinds(self):
        """The kinds of violation found."""
        return {violation.kind for violation in self.violations}


class _Summary:
    """What the units in one file say together."""

    def __init__(self, data, writers):
        whole, self.torn = units.find(data)
        self.newest, self.known = [0] * writers, [0] * writers
        self.sequences = set()
        for unit in whole:
            self.sequences.add((unit.writer, unit.sequence))
            if unit.writer < writers and len(unit.known) == writers:
                self.newest[unit.writer] = max(self.newest[unit.writer], unit.sequence)
                self.known = [max(pair) for pair in zip(self.known, unit.known)]
        self.last_whole = whole[-1].sequence if whole else 0


class Judge:
    """Judges trees at ascending times, or one tree by its ledgers."""

    def __init__(self, log):
        self.log, self.tree = log, Tree()
        self._ending = sorted(log.operations, key=lambda o: o["e"] or 1 << 62)
        self._applied = 0
        self._summaries = {}

    def judge(self, root, moment=None, have=None):
        """Judges the folder `root` (or the scanned tree `have`) as the state at `moment` ns, or at what its ledgers say."""
        have = have if have is not None else compare_trees.scan(root)
        verdict = Verdict()
        reached = self._by_content(have, verdict)
        if moment is None:
            candidates = self._advance_to_ledgers(reached, verdict)
        else:
            candidates = self._advance_to_time(moment)
        tree = verdict.tree = self._fit(candidates, have, verdict)
        for path, what in sorted(tree.differing(have).items()):
            verdict.violations.append(self._classified(path, what, tree, have, moment, reached))
        return verdict

    def _summary(self, data):
        key = (len(data), zlib.crc32(data), zlib.adler32(data))
        if key not in self._summaries:
            if len(self._summaries) > 20_000:
                self._summaries.clear()
            self._summaries[key] = _Summary(data, self.log.writers)
        return self._summaries[key]

    def _by_content(self, have, verdict):
        """Effects without their causes, judged by the tree alone. Returns how far each writer's ledger goes."""
        reached = []
        for writer in range(self.log.writers):
            entry = have.get(ledger_path(writer))
            reached.append(self._summary(entry.data).newest[writer] if entry and entry.kind == "f" else 0)
        for path, entry in have.items():
            if entry.kind != "f":
                continue
            summary = self._summary(entry.data)
            for writer in range(self.log.writers):
                if summary.known[writer] > reached[writer]:
                    verdict.violations.append(Violation("cause", path, f"knows call {summary.known[writer]} of writer {writer}, whose ledger ends at {reached[writer]}"))
                if summary.newest[writer] > self._until(writer, reached[writer]):
                    verdict.violations.append(Violation("cause", path, f"holds call {summary.newest[writer]} of writer {writer}, whose ledger ends at {reached[writer]}"))
        return reached

    def _until(self, writer, reached):
        """The last call that a writer can have made when its ledger ends at `reached`: its next entry in the ledger."""
        for operation in self.log.by_writer[writer][reached:]:
            if operation.get("path") == ledger_path(writer) and operation["op"] == "write" and not operation.get("maybe"):
                return operation["s"]
        return 1 << 62

    def _advance_to_time(self, moment):
        while self._applied < len(self._ending) and (self._ending[self._applied]["e"] or 1 << 62) <= moment:
            self._apply(self._ending[self._applied])
            self._applied += 1
        return [o for o in self._ending[self._applied:] if o["b"] <= moment] if self._applied < len(self._ending) else []

    def _advance_to_ledgers(self, reached, verdict):
        candidates = []
        for operation in self._ending:
            if operation["s"] <= reached[operation["w"]]:
                try:
                    self._apply(operation)
                except KeyError:
                    verdict.violations.append(Violation("cause", operation["path"], f"call {operation['s']} of writer {operation['w']} ({operation['op']}) is there, but not what it acted on"))
            elif operation["s"] <= self._until(operation["w"], reached[operation["w"]]):
                candidates.append(operation)
        self._applied = len(self._ending)
        return sorted(candidates, key=lambda o: (o["w"], o["s"]))

    def _apply(self, operation):
        if operation.get("maybe"):
            if not operation.get("done"):
                return
            if operation.get("kept") is not None:
                operation = {**operation, "part": operation["kept"]}
        self.tree.apply(operation)

    def _fit(self, candidates, have, verdict):
        """Adds those calls in flight that the tree shows: of each writer the prefix with which the least differs."""
        tree, left = self.tree, _measure(self.tree, have)
        waiting = {}
        for operation in candidates:
            waiting.setdefault(operation["w"], []).append(operation)
        progress = True
        while progress and left != (0, 0, 0):
            progress = False
            for writer in list(waiting):
                best = None
                for count, (tried, part) in enumerate(_prefixes(tree, waiting[writer], have), 1):
                    measure = _measure(tried, have)
                    if measure < left:
                        left, best = measure, (tried, count, part)
                if best:
                    tree, progress = best[0], True
                    for operation in waiting[writer][:best[1] - 1]:
                        verdict.in_flight[writer, operation["s"]] = operation.get("n", True)
                    verdict.in_flight[writer, waiting[writer][best[1] - 1]["s"]] = best[2]
                    del waiting[writer]
        self._appends_in_order(candidates, have, verdict)
        return tree

    @staticmethod
    def _appends_in_order(candidates, have, verdict):
        """Of several writes in flight in one file, a later byte may not be there before all earlier ones are."""
        writes = [o for o in candidates if o["op"] == "write" and o["path"]]
        for later in writes:
            for earlier in writes:
                if later["path"] == earlier["path"] and later["w"] != earlier["w"] and earlier["off"] is not None and earlier["off"] + earlier["n"] == later["off"]:
                    there = verdict.in_flight.get((later["w"], later["s"]), 0)
                    before = verdict.in_flight.get((earlier["w"], earlier["s"]), 0)
                    if there and before < earlier["n"]:
                        verdict.violations.append(Violation("prefix", later["path"], f"holds call {later['s']} of writer {later['w']}, but of the append before it only {before} of {earlier['n']} bytes"))

    def _classified(self, path, what, tree, have, moment, reached):
        """Names a difference."""
        node, entry = tree.names.get(path), have.get(path)

        def later(operation):
            return operation["b"] > moment if moment is not None else operation["s"] > self._until(operation["w"], reached[operation["w"]])

        if what == "missing":
            return Violation("lost", path, self._history(path) or what)
        if what == "extra":
            makers = [o for o in self.log.operations if path_made(o, path)]
            if not makers:
                return Violation("differs", path, "made by nobody")
            # A name may be made, removed and made again: what it holds says which of them this is.
            held = [made for made in map(self._call, self._summary(entry.data).sequences) if made] if entry.kind == "f" else []
            future = any(map(later, held)) if held else any(map(later, makers))
            return Violation("future" if future else "lost", path, f"{'it' if future else 'its removal or renaming'}: {self._history(path)}")
        if what.startswith("content"):
            want, seen = self._summary(node.data), self._summary(entry.data)
            for unit in sorted(seen.sequences - want.sequences):
                made = self._call(unit)
                if made and later(made):
                    return Violation("future", path, f"holds call {unit[1]} of writer {unit[0]}, which began {_distance(made['b'], moment)} after the cut")
            if len(seen.torn) > len(want.torn):
                return Violation("torn", path, f"a unit at byte {seen.torn[0]} is not whole; {what}")
            for unit in sorted(want.sequences - seen.sequences):
                made = self._call(unit)
                return Violation("lost", path, f"call {unit[1]} of writer {unit[0]}, which ended {_distance(moment, made['e'] if made else None)} before the cut; {what}")
        return Violation("differs", path, what)

    def _call(self, unit):
        writer, sequence = unit
        mine = self.log.by_writer[writer] if writer < self.log.writers else []
        return mine[sequence - 1] if 0 < sequence <= len(mine) else None

    def _history(self, path):
        """The last calls on a path, for a person who looks for the reason."""
        rows = [o for o in self.log.operations if path in (o.get("path"), o.get("to")) and o["op"] in ("create", "mkdir", "symlink", "link", "rename", "unlink", "rmdir")]
        return ", ".join(f"{o['op']} {o['w']}/{o['s']} at {o['b']}…{o['e']}" for o in rows[-3:])


def path_made(operation, path):
    """Whether a call makes a name."""
    kind = operation["op"]
    if kind in ("create", "mkdir", "symlink"):
        return operation["path"] == path
    if kind == "link":
        return operation["to"] == path
    return kind == "rename" and (operation["to"] == path or path.startswith(operation["to"] + "/"))


def _distance(a, b):
    return f"{(a - b) / 1e3:.1f} µs" if a is not None and b is not None else "some calls"


def _measure(tree, have):
    """How much differs: names first, then what they show, then bytes."""
    found, names, distance = tree.differing(have), 0, 0
    for path, what in found.items():
        if what in ("missing", "extra"):
            names += 1
        elif what.startswith("content"):
            node, entry = tree.names[path], have[path]
            distance += max(len(node.data), len(entry.data)) - compare_trees.first_difference(node.data, entry.data)
    return (names, len(found), distance)


def _prefixes(tree, operations, have):
    """The trees with the first 1, 2, … of a writer's calls, of the last one (a write) as many bytes as the file shows."""
    for operation in operations:
        path, kind = operation.get("path"), operation["op"]
        if path is not None and kind not in ("create", "mkdir", "symlink") and path not in tree.names:
            return
        operation = _placed(operation, tree, have)
        if operation is None:
            return
        part = _part(operation, have)
        yield tree.tried({**operation, "part": part} if kind == "write" else operation), part
        tree = tree.tried(operation)


def _placed(operation, tree, have):
    """A shared append that met the end of the mount does not know its place: it is where its unit stands, else at the end."""
    if operation["op"] != "write" or operation["off"] is not None:
        return operation
    entry = have.get(operation["path"])
    if entry is None or entry.kind != "f":
        return None
    at = entry.data.find(bytes_of(operation)[:units.header_size(len(operation["d"]))])
    return {**operation, "off": at if at >= 0 else len(tree.names[operation["path"]].data)}


def _part(operation, have):
    """How many bytes of a write a file shows; True for all other calls."""
    if operation["op"] != "write":
        return True
    entry = have.get(operation["path"])
    if entry is None or entry.kind != "f":
        return 0
    data = bytes_of(operation)
    return compare_trees.first_difference(data, entry.data[operation["off"]:operation["off"] + len(data)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree")
    parser.add_argument("log")
    parser.add_argument("--time", type=int, metavar="NS", help="the cut's time in ns since 1970; without it the ledgers in the tree decide")
    given = parser.parse_args()
    verdict = Judge(Log(given.log)).judge(given.tree, given.time)
    for violation in verdict.violations[:100]:
        print(violation)
    print(f"{len(verdict.violations)} violations, {len(verdict.in_flight)} calls in flight were there")
    sys.exit(1 if verdict.violations else 0)


if __name__ == "__main__":
    main()
