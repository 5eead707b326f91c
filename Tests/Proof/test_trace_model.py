"""That the trace's model is right at every mark, that instants are where they should be, and that differences are seen."""
import random
import tempfile
import unittest
import warnings
from pathlib import Path

import processes
import shared_material
import trace_drive
import trace_model
import trace_replay


@unittest.skipUnless(shared_material.traces_folder(), "no recorded traces here (ASOF_TEST_SHARED)")
class Traces(unittest.TestCase):
    """The recorded traces themselves."""

    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # trace.py leaves closing to the end of the process

    def test_the_model_equals_the_real_directory_at_every_mark(self):
        for name in ("garden", "attic"):
            recorded = trace_model.RecordedTrace(name)
            model = trace_model.Model(recorded)
            for mark in recorded.marks():
                with self.subTest(f"{name} {mark}"):
                    self.assertEqual([], model.advance(mark).differences_from_mark()[:5])

    def test_instants(self):
        recorded = trace_model.RecordedTrace("garden")
        instants = recorded.instants(200, 1)
        self.assertGreaterEqual(len(set(instants) - set(recorded.marks())), 200)
        self.assertTrue(set(recorded.marks()) <= set(instants))
        self.assertEqual(instants, recorded.instants(200, 1))
        self.assertNotEqual(instants, recorded.instants(200, 2))
        for kill in recorded.kills():
            self.assertTrue({kill - 1, kill, kill + 1} <= set(instants))
        kinds = {recorded.operations[n - 1]["op"] for n in instants}
        self.assertTrue({"rename", "unlink", "truncate", "write"} <= kinds, kinds)

    def test_a_driven_directory_is_the_model_s_and_a_spoiled_one_is_not(self):
        recorded = trace_model.RecordedTrace("attic")
        with tempfile.TemporaryDirectory(prefix="asof-trace-") as folder:
            drive = trace_drive.Drive(recorded, folder)
            drive.run(3000)
            self.assertEqual([], trace_model.Model(recorded).advance(3000).differences(folder))
            self.assertTrue(trace_model.Model(recorded).advance(2990).differences(folder))
            chance = random.Random(1)
            for number in range(1, 3000):
                self.assertTrue(drive.after[number] <= drive.moment_after(number, 3000, chance) <= drive.before[number + 1])

    def test_the_replay_in_c_makes_the_same_directory(self):
        recorded = trace_model.RecordedTrace("attic")
        with tempfile.TemporaryDirectory(prefix="asof-replay-") as base:
            folder = Path(base, "root")
            folder.mkdir()
            lines = trace_replay.translated(recorded.operations[:6000])
            Path(base, "operations").write_text("\n".join(lines) + "\n")
            load = Path(base, "load")
            processes.run(["gcc", "-O2", "-o", load, shared_material.REPOSITORY_ROOT / "Scripts" / "bench-load.c"])
            processes.run([load, "replay", folder, recorded.trace.data.name, Path(base, "operations")])
            self.assertEqual([], trace_model.Model(recorded).advance(6000).differences(folder))


if __name__ == "__main__":
    unittest.main()
