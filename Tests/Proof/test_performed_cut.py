"""That the performer keeps the dependencies of what it is given, and that the judge of its cuts finds every wrong cut."""
import random
import time
import unittest
from pathlib import Path

import compare_trees
import made_trace
import performing
import processes
from performed_cut import PerformedJudge
from performed_tree import Directory
from trace_model import differing


def shown(tree):
    """A model as a scan of a directory that is like it."""
    links = {}
    for node in tree.names.values():
        links[id(node)] = links.get(id(node), 0) + 1
    return {path: compare_trees.Entry(node["kind"], node["mode"], links=links[id(node)], size=len(node.get("data", b"")), target=node.get("target", ""),
                                      data=bytes(node["data"]) if "data" in node else None) for path, node in tree.names.items()}


class Performed(unittest.TestCase):
    """One performance of a made trace, and cuts of it that are made by hand."""

    @classmethod
    def setUpClass(cls):
        with processes.Workspace("performed") as workspace:
            cls.made = made_trace.MadeTrace(workspace.path / "data.bin", 6000, 1)
            root = workspace.folder("root")
            plan = performing.Plan(cls.made.operations, 6, 1)
            with performing.Performer(workspace, plan, cls.made.data, root) as performer:
                performer.go(3000)
                performer.await_done(3000)
                performer.go()
                performer.await_done()
                performer.end()
                cls.notes = performer.notes()
            cls.plan, cls.end = plan, compare_trees.scan(root, attributes=False)

    def state(self, moment, with_flying=()):
        """The model after everything that ended by a moment, and some in flight."""
        tree = Directory(self.made.bytes)
        ended = sorted((o for o in self.made.operations if self.notes.ended[o["n"]] <= moment), key=lambda o: (self.notes.ended[o["n"]], o["n"]))
        for operation in [*ended, *with_flying]:
            tree.apply(operation)
        return tree

    def flying(self, moment):
        """What was in flight at a moment."""
        return [o for o in self.made.operations if self.notes.begun[o["n"]] <= moment < self.notes.ended[o["n"]]]

    def judged(self, tree, moment):
        """What the judge says."""
        return PerformedJudge(self.made.operations, self.made.bytes, self.notes).judge(shown(tree), moment)[0]

    def test_it_runs_at_once_and_out_of_order_but_keeps_every_dependency(self):
        begun, ended = self.notes.begun, self.notes.ended
        order = sorted(range(1, self.notes.count + 1), key=lambda n: (ended[n], n))
        self.assertGreater(sum(a > b for a, b in zip(order, order[1:])), 100)
        self.assertTrue(any(len(self.flying(ended[n] - 1)) > 1 for n in range(1, 3000, 7)))
        for i, causes in enumerate(self.plan.causes):
            for cause in filter(None, causes):
                self.assertLessEqual(ended[cause], begun[i + 1])
            self.assertTrue(all(ended[n] <= begun[i + 1] for n in range(max(1, self.plan.after[i] - 20), self.plan.after[i] + 1)))
        self.end.pop(performing.HELD, None)
        self.assertEqual([], differing(self.state(1 << 62), self.end))

    def test_true_cuts_pass(self):
        chance = random.Random(1)
        for number in range(5, 6000, 97):
            moment = self.notes.begun[number] + 1
            flying = self.flying(moment)
            for some in ((), flying, [o for o in flying if chance.random() < 0.5]):
                self.assertEqual([], self.judged(self.state(moment, some), moment))

    def test_a_write_in_flight_may_be_torn_at_a_page_only(self):
        number = next(o["n"] for o in self.made.operations if o["op"] == "write" and o["len"] > 10_000)
        write, moment = self.made.operations[number - 1], self.notes.begun[number]
        for part, good in ((4096 - write["off"] % 4096, True), (100, False), (4096 - write["off"] % 4096 + 1, False)):
            found = self.judged(self.state(moment, [{**write, "part": part}]), moment)
            self.assertEqual(good, not found, found)

    def test_what_had_ended_is_missed(self):
        chance, missed = random.Random(2), set()
        for number in chance.sample(range(100, 5900), 300):
            operation, moment = self.made.operations[number - 1], self.notes.ended[number]
            if operation["op"] in ("fsync", "close", "mark") or any(o["path"] == operation["path"] for o in self.flying(moment)):
                continue
            with self.subTest(operation):
                tree = self.state(moment - 1)
                for other in sorted((o for o in self.made.operations if moment - 1 < self.notes.ended[o["n"]] <= moment and o is not operation), key=lambda o: o["n"]):
                    tree.apply(other)
                self.assertTrue(self.judged(tree, moment))
                missed.add(operation["op"])
        self.assertLessEqual({"write", "create", "rename", "unlink"}, missed)

    def test_what_began_later_is_too_much(self):
        for number in random.Random(3).sample(range(100, 5900), 200):
            operation, moment = self.made.operations[number - 1], self.notes.begun[number] - 1
            if operation["op"] in ("fsync", "close", "mark"):
                continue
            tree = self.state(moment)
            try:
                tree.apply(operation)
            except KeyError:
                continue
            self.assertTrue(self.judged(tree, moment), operation)

    def test_other_differences(self):
        moment = self.notes.ended[4000]
        for spoil in ("mode", "byte", "name", "length", "links"):
            tree = self.state(moment)
            path = max((p for p, node in tree.names.items() if node["kind"] == "f" and node["data"] and not any(o["path"] == p for o in self.flying(moment))), key=len)
            if spoil == "mode":
                tree.names[path]["mode"] ^= 0o100
            elif spoil == "byte":
                tree.names[path]["data"][0] ^= 1
            elif spoil == "name":
                tree.names[path + "x"] = tree.names.pop(path)
            elif spoil == "length":
                tree.names[path]["data"].append(0)
            else:
                tree.names[path + "x"] = tree.names[path]
            self.assertTrue(self.judged(tree, moment), spoil)


class Resumed(unittest.TestCase):
    """That a performer that was killed goes on where it was."""

    def test_killed_many_times(self):
        with processes.Workspace("performed") as workspace:
            made = made_trace.MadeTrace(workspace.path / "data.bin", 8000, 2)
            root = workspace.folder("root")
            performer = performing.Performer(workspace, performing.Plan(made.operations, 5, 2), made.data, root, rate=20_000)
            chance = random.Random(4)
            for _ in range(8):
                performer.start()
                performer.go()
                time.sleep(chance.random() * 0.06)
                performer.kill()
            with performer:
                performer.go()
                performer.await_done()
                performer.end()
                notes = performer.notes()
            have = compare_trees.scan(root, attributes=False)
            self.assertEqual([], PerformedJudge(made.operations, made.bytes, notes).judge(have, 1 << 62)[0])
            self.assertTrue(Path(root, "shard0").is_dir())


if __name__ == "__main__":
    unittest.main()
