"""That check_cut finds every kind of violation that is planted, and none where there is none."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import check_cut
import compare_trees
import processes
import resolve
import units
from workload_log import Log, Writing
from workload_model import Tree

HERE = Path(__file__).resolve().parent


def run_workload(folder, log, seed, seconds, *options):
    """Runs a workload to its end."""
    return processes.run([sys.executable, HERE / "workload.py", folder, "--seed", seed, "--seconds", seconds, "--log", log, *options], timeout=seconds + 60)


def tree_at(log, moment):
    """The tree after all calls that had ended by a moment."""
    tree = Tree()
    for operation in sorted(log.operations, key=lambda o: o["e"]):
        if operation["e"] <= moment:
            tree.apply(operation)
    return tree


class PlantedViolations(unittest.TestCase):
    """A finished workload; trees are made from its log, spoiled, and judged."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="asof-check-cut-")
        base = Path(cls.folder.name)
        (base / "live").mkdir()
        run_workload(base / "live", base / "log", 11, 1.5)
        cls.live, cls.log = base / "live", Log(base / "log")
        ends = sorted(o["e"] for o in cls.log.operations)
        # A moment in the last third, so that there is something of everything.
        cls.moment = ends[len(ends) * 2 // 3]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def judged(self, tree, moment="self"):
        """Writes a tree to disk and judges it."""
        with tempfile.TemporaryDirectory(prefix="asof-planted-") as folder:
            tree.write_to(folder)
            return check_cut.Judge(self.log).judge(folder, self.moment if moment == "self" else moment)

    def assert_kind(self, kind, verdict):
        self.assertIn(kind, verdict.kinds(), [str(v) for v in verdict.violations][:5])

    def newest(self, test):
        """The newest call that had ended by the moment and passes a test."""
        return max((o for o in self.log.operations if o["e"] <= self.moment and test(o)), key=lambda o: o["e"])

    def without(self, *left_out, extra=()):
        """The tree at the moment without some calls and with some later ones."""
        tree = Tree()
        for operation in sorted([o for o in self.log.operations if o["e"] <= self.moment and o not in left_out] + list(extra), key=lambda o: o["e"]):
            tree.apply(operation)
        return tree

    def test_the_live_directory_is_the_last_state(self):
        for moment in (time.time_ns(), None):
            verdict = check_cut.Judge(self.log).judge(self.live, moment)
            self.assertEqual([], [str(v) for v in verdict.violations])

    def test_a_right_tree_has_no_violation_by_clock_and_by_ledger(self):
        for moment in (self.moment, None):
            verdict = self.judged(tree_at(self.log, self.moment), moment)
            self.assertEqual([], [str(v) for v in verdict.violations])

    def test_calls_in_flight_may_be_there(self):
        tree, expected = tree_at(self.log, self.moment), 0
        for operation in [o for o in self.log.operations if o["b"] <= self.moment < o["e"]]:
            tree.apply(operation)
            expected += operation["op"] != "fsync" and operation["path"] is not None
        verdict = self.judged(tree)
        self.assertEqual([], [str(v) for v in verdict.violations])
        self.assertEqual(expected, len(verdict.in_flight))

    def test_a_lost_append_is_found(self):
        tree = tree_at(self.log, self.moment)
        last = self.newest(lambda o: o["op"] == "write" and o["path"] and o["path"].startswith("/ledger"))
        del tree.names[last["path"]].data[last["off"]:]
        self.assert_kind("lost", self.judged(tree))

    def test_a_lost_log_append_is_found_by_clock_and_by_ledger(self):
        tree = tree_at(self.log, self.moment)
        # Without a clock only what the ledger speaks of can be missed: an append after its last entry may be in flight.
        noted = {w: units.find(tree.names[check_cut.ledger_path(w)].data)[0][-1].sequence for w in range(self.log.writers)}
        last = {p: units.find(n.data)[0][-1] for p, n in tree.names.items() if "/lsm/" in p and p.endswith(".wal") and n.data}
        log = next(p for p in sorted(last) if last[p].sequence <= noted[last[p].writer])
        del tree.names[log].data[last[log].offset:]
        self.assert_kind("lost", self.judged(tree))
        self.assert_kind("lost", self.judged(tree, None))

    def test_an_append_after_the_last_ledger_entry_may_be_missing_without_a_clock_only(self):
        append = self.newest(lambda o: o["op"] == "write" and "/lsm/" in (o["path"] or "") and o["path"].endswith(".wal") and o["k"] == "unit")
        tree = tree_at(self.log, append["e"])
        del tree.names[append["path"]].data[append["off"]:]
        self.assert_kind("lost", self.judged(tree, append["e"]))
        self.assertEqual([], [str(v) for v in self.judged(tree, None).violations])

    def test_a_lost_rename_is_found(self):
        last = self.newest(lambda o: o["op"] == "rename" and o["to"].endswith("proplengths"))
        later = [o for o in self.log.operations if o["w"] == last["w"] and o["s"] > last["s"] and last["path"] == o["path"]]
        self.assert_kind("lost", self.judged(self.without(last, *later)))

    def test_a_lost_unlink_is_found(self):
        names = tree_at(self.log, self.moment).names
        last = self.newest(lambda o: o["op"] == "unlink" and o["path"].rsplit("/", 1)[0] in names and o["path"] not in names)
        self.assert_kind("lost", self.judged(self.without(last)))

    def test_a_future_append_is_found(self):
        tree = tree_at(self.log, self.moment)
        later = min((o for o in self.log.operations if o["b"] > self.moment and o["op"] == "write" and o["path"] == "/shared/all.wal"), key=lambda o: o["off"])
        data = tree.names["/shared/all.wal"].data
        for operation in sorted((o for o in self.log.operations if o.get("path") == "/shared/all.wal" and o["op"] == "write" and len(data) <= o["off"] <= later["off"]), key=lambda o: o["off"]):
            tree.apply(operation)
        self.assert_kind("future", self.judged(tree))

    def test_a_future_file_is_found(self):
        tree = tree_at(self.log, self.moment)
        # In a directory that is there at the cut, or there would be nowhere to plant it.
        tree.apply(min((o for o in self.log.operations if o["b"] > self.moment and o["op"] in ("create", "symlink") and o["path"].rsplit("/", 1)[0] in tree.names), key=lambda o: o["b"]))
        self.assert_kind("future", self.judged(tree))

    def test_a_name_made_again_is_told_from_one_whose_removal_is_lost(self):
        names = tree_at(self.log, self.moment).names
        # A writer that is not between create and rename at the cut; of all four at least one is.
        name = next(n for n in (f"/shard{w}/proplengths.tmp" for w in range(self.log.writers))
                    if n not in names and not any(o["path"] == n and o["b"] <= self.moment < o["e"] for o in self.log.operations))
        mine = sorted((o for o in self.log.operations if o["path"] == name), key=lambda o: o["s"])
        later, earlier = [o for o in mine if o["b"] > self.moment], [o for o in mine if o["e"] <= self.moment]
        self.assertEqual(["create", "write"], [o["op"] for o in later[:2]])
        self.assertEqual(["create", "write", "rename"], [o["op"] for o in earlier[-3:]])
        for shown, kind in ((later[:1], "future"), (later[:2], "future"), (earlier[-3:-1], "lost")):
            tree = tree_at(self.log, self.moment)
            for operation in shown:
                tree.apply(operation)
            self.assertEqual({kind}, self.judged(tree).kinds() - {"cause"})

    def test_an_effect_without_its_cause_is_found_without_any_clock(self):
        # The cut of one writer's files is later than that of the others: each file by itself is fine.
        tree, later = tree_at(self.log, self.moment), tree_at(self.log, 1 << 62)
        for path in [p for p in tree.names if p.startswith("/shard0")]:
            del tree.names[path]
        tree.names.update({p: n for p, n in later.names.items() if p.startswith("/shard0")})
        tree.names["/ledger/0.wal"] = later.names["/ledger/0.wal"]
        self.assert_kind("cause", self.judged(tree, None))

    def test_one_file_copied_a_little_later_is_found_without_any_clock(self):
        tree, later = tree_at(self.log, self.moment), tree_at(self.log, self.moment + 50_000_000)
        changed = [p for p in tree.names if p.endswith(".log") and p in later.names and tree.names[p].data != later.names[p].data]
        tree.names[changed[0]] = later.names[changed[0]]
        self.assert_kind("cause", self.judged(tree, None))

    def test_a_torn_unit_is_found(self):
        tree = tree_at(self.log, self.moment)
        path = max((p for p in tree.names if "/lsm/" in p and p.endswith(".wal")), key=lambda p: len(tree.names[p].data))
        del tree.names[path].data[-7:]
        self.assert_kind("torn", self.judged(tree))

    def test_a_torn_page_is_found(self):
        tree = tree_at(self.log, self.moment)
        page = self.newest(lambda o: o["op"] == "write" and (o["path"] or "").endswith("raft.db"))
        tree.names[page["path"]].data[page["off"] + 3000:page["off"] + 4096] = bytes(1096)
        self.assert_kind("torn", self.judged(tree))

    def test_one_flipped_bit_is_found(self):
        tree = tree_at(self.log, self.moment)
        path = max((p for p in tree.names if p.endswith(".db")), key=lambda p: len(tree.names[p].data))
        tree.names[path].data[len(tree.names[path].data) // 2] ^= 4
        self.assertTrue(self.judged(tree).violations)

    def test_zeros_before_an_append_in_flight_are_found(self):
        log = Log.__new__(Log)
        log.seed, log.writers = 0, 2
        def append(writer, offset, begin, end):
            return {"w": writer, "s": 2, "op": "write", "path": "/f", "off": offset, "n": 100, "k": "unit", "d": [0, 0], "b": begin, "e": end}
        make = [{"w": w, "s": 1, "op": "create" if w == 0 else "fsync", "path": "/f", "mode": 0o644, "b": 1, "e": 2} for w in (0, 1)]
        log.operations = make + [append(0, 0, 10, 20), append(1, 100, 11, 19)]
        log.by_writer = [[make[0], log.operations[2]], [make[1], log.operations[3]]]
        tree = Tree()
        tree.apply(make[0])
        tree.apply(log.operations[3])
        with tempfile.TemporaryDirectory() as folder:
            tree.write_to(folder)
            self.assert_kind("prefix", check_cut.Judge(log).judge(folder, 15))

    def test_metadata_is_compared(self):
        path = next(p for p, n in tree_at(self.log, self.moment).names.items() if n.kind == "f" and p.endswith(".db"))
        for change in ("mode", "uid", "attributes", "links"):
            with self.subTest(change):
                tree = tree_at(self.log, self.moment)
                node = tree.names[path]
                if change == "mode":
                    node.mode ^= 0o010
                elif change == "uid":
                    node.uid += 7
                elif change == "attributes":
                    node.attributes = {**node.attributes, "user.planted": b"1"}
                else:
                    links = [p for p, n in tree.names.items() if n is node]
                    tree.names[links[0]] = node.copy()
                    tree.names[links[0] + ".planted"] = tree.names[links[0]]
                self.assertTrue(self.judged(tree).violations)

    def test_a_hard_link_that_became_a_copy_is_found(self):
        tree = tree_at(self.log, self.moment)
        path = next((p for p, n in tree.names.items() if n.kind == "f" and tree.links()[id(n)] > 1), None)
        self.assertIsNotNone(path, "the workload made no hard link")
        tree.names[path] = tree.names[path].copy()
        self.assertTrue(self.judged(tree).violations)


class RealCuts(unittest.TestCase):
    """A workload on a plain directory, stopped by SIGSTOP: what stands there then is a cut of its calls."""

    def check(self, seed, *options):
        with tempfile.TemporaryDirectory(prefix="asof-cuts-") as base:
            live, log = Path(base, "live"), Path(base, "log")
            live.mkdir()
            process = processes.start([sys.executable, HERE / "workload.py", live, "--seed", seed, "--seconds", "2.5", "--threads", "6", "--log", log, *options],
                                      start_new_session=True)
            cuts = []
            try:
                time.sleep(0.3)
                for _ in range(12):
                    time.sleep(0.1)
                    os.killpg(process.pid, signal.SIGSTOP)
                    time.sleep(0.03)
                    cuts.append((time.time_ns(), compare_trees.scan(live)))
                    os.killpg(process.pid, signal.SIGCONT)
                self.assertEqual(0, process.wait(60))
            finally:
                os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            read, seen = Log(log), 0
            judge = check_cut.Judge(read)
            for moment, have in cuts:
                verdict = judge.judge(live, moment, have)
                seen += len(verdict.in_flight)
                self.assertEqual([], [str(v) for v in verdict.violations], f"seed {seed} at {moment}")
                by_ledger = check_cut.Judge(read).judge(live, None, have)
                self.assertEqual([], [str(v) for v in by_ledger.violations], f"seed {seed} by ledger at {moment}")

    def test_threads(self):
        self.check(21)

    def test_processes(self):
        self.check(22, "--processes")


class Resuming(unittest.TestCase):
    """A workload goes on in what a crash left."""

    def test_resume_after_torn_and_lost_calls(self):
        with tempfile.TemporaryDirectory(prefix="asof-resume-") as base:
            live, log = Path(base, "live"), Path(base, "log")
            live.mkdir()
            run_workload(live, log, 31, 0.7)
            read = Log(log)
            # As if the mount had ended during an append of writer 0 to its ledger (torn), and one of writer 1 to the shared log.
            sequence = [n + 1 for n in read.last_sequences()]
            writing = Writing(log)
            size, known = 300, read.last_sequences()
            data = units.build(0, sequence[0], known, size)
            end = os.path.getsize(live / "ledger/0.wal")
            with open(live / "ledger/0.wal", "ab") as file:
                file.write(data[:77])
            now = time.time_ns()
            writing.add({"w": 0, "s": sequence[0], "op": "write", "path": "/ledger/0.wal", "off": end, "n": size, "k": "unit", "d": known, "b": now, "e": None})
            with open(live / "shared/all.wal", "ab") as file:
                file.write(units.build(1, sequence[1], known, size)[:200])
            writing.add({"w": 1, "s": sequence[1], "op": "write", "path": "/shared/all.wal", "off": None, "n": size, "k": "unit", "d": known, "b": now, "e": None})
            writing.add({"w": 2, "s": sequence[2], "op": "mkdir", "path": "/shard2/never", "mode": 493, "b": now, "e": None})
            writing.close()
            verdict = resolve.resolve(log, live)
            self.assertEqual([], [str(v) for v in verdict.violations])
            self.assertEqual({(0, sequence[0]): 77, (1, sequence[1]): 200}, verdict.in_flight)
            run_workload(live, log, 32, 0.7, "--resume")
            for moment in (time.time_ns(), None):
                verdict = check_cut.Judge(Log(log)).judge(live, moment)
                self.assertEqual([], [str(v) for v in verdict.violations])


class CommandLine(unittest.TestCase):
    """The command says what it found and fails when there is something."""

    def test_exit_codes(self):
        with tempfile.TemporaryDirectory(prefix="asof-cli-") as base:
            live, log = Path(base, "live"), Path(base, "log")
            live.mkdir()
            run_workload(live, log, 41, 0.3)
            command = [sys.executable, str(HERE / "check_cut.py"), str(live), str(log)]
            self.assertEqual(0, subprocess.run(command, capture_output=True, check=False).returncode)
            with open(live / "shared/all.wal", "ab") as file:
                file.write(b"x")
            spoiled = subprocess.run(command, capture_output=True, check=False, text=True)
            self.assertEqual(1, spoiled.returncode)
            self.assertIn("/shared/all.wal", spoiled.stdout)


if __name__ == "__main__":
    unittest.main()
