"""That the harnesses themselves work: driven against a stand-in for asof that is right, and against spoiled ones."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import asof_process
import crashes
import processes
import shared_material

HERE = Path(__file__).resolve().parent
STAND_IN = HERE / "stand_in_asof.py"


def passthrough(folder):
    """The compiled passthrough that plays record, or None."""
    source = shared_material.peer_source()
    if source is None or os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        return None
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["gcc", "-O2", "-o", f"{folder}/passthrough", source, *flags], check=True)
    return f"{folder}/passthrough"


class Gaps(unittest.TestCase):
    """What a crash excuses: exactly the declared gap."""

    def test_a_gap_excuses_to_the_nanosecond(self):
        gaps = [{"after": {"time": "2026-11-24T00:00:01.5Z"}, "before": {"time": "2026-11-24T00:00:03Z"}}]
        first, last = asof_process.nanoseconds("2026-11-24T00:00:01.5Z"), asof_process.nanoseconds("2026-11-24T00:00:03Z")
        self.assertEqual(1_500_000_000, last - first)
        for moment, expected in ((first - 1, False), (first, False), (first + 1, True), (last - 1, True), (last, False), (last + 1, False)):
            self.assertEqual(expected, crashes.in_gap(moment, gaps), moment)
        self.assertFalse(crashes.in_gap(first, []))

    def test_times_survive_the_way_there_and_back(self):
        for moment in (0, 1, 999_999_999, 1_795_479_566_449_153_102, 1_795_479_566_000_000_000):
            self.assertEqual(moment, asof_process.nanoseconds(asof_process.rfc3339(moment)))


class Harnesses(unittest.TestCase):
    """Each harness once with a right stand-in and once with a spoiled one."""

    @classmethod
    def setUpClass(cls):
        cls.mounted_before = set(processes.mount_points())
        cls.folder = tempfile.TemporaryDirectory(prefix="asof-harness-")
        program = passthrough(cls.folder.name)
        if program is None:
            cls.folder.cleanup()
            raise unittest.SkipTest("needs root, /dev/fuse and the passthrough's source")
        cls.environment = {**os.environ, "STAND_IN_PASSTHROUGH": program}
        for name in ("STAND_IN_SPOIL", "STAND_IN_UNREACHABLE", "STAND_IN_TRACE"):
            cls.environment.pop(name, None)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        left = [path for path in processes.mount_points() if "/asof-" in path and path not in cls.mounted_before]
        if left:
            raise AssertionError(f"left mounted: {left}")

    def drive(self, tool, *options, **environment):
        return processes.run([sys.executable, HERE / tool, "--asof", STAND_IN, "--single", *options], timeout=300, check=False, env={**self.environment, **environment})

    def test_workload_instants(self):
        options = ("--seeds", "2", "--instants", "4", "--seconds", "1")
        done = self.drive("workload_instants.py", *options)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        for spoil, expected in (("lost", "lost: "), ("mtime", "(+1 ns)")):
            done = self.drive("workload_instants.py", *options, STAND_IN_SPOIL=spoil)
            self.assertEqual(1, done.returncode, done.stdout + done.stderr)
            self.assertIn(expected, done.stdout)
            self.assertIn("--seeds 2", done.stdout)

    def test_crashes(self):
        options = ("--seconds", "1", "--occurrences", "1", "--instants", "1")
        done = self.drive("crashes.py", "--random", "2", *options)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        done = self.drive("crashes.py", "--random", "0", "--points", "nowhere", *options, STAND_IN_UNREACHABLE="1")
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertIn("1 points not reached: nowhere:1", done.stdout)
        done = self.drive("crashes.py", "--random", "1", "--points", "none", *options, STAND_IN_SPOIL="lost")
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)

    def test_trace_instants(self):
        with tempfile.TemporaryDirectory() as folder:
            options = ("attic", "--until", "1500", "--instants", "5", "--log", f"{folder}/log")
            trace = {"STAND_IN_TRACE": "attic", "STAND_IN_DRIVE": f"{folder}/log"}
            done = self.drive("trace_instants.py", *options, "--kill-at", "700", **trace)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            self.assertNotIn("during operations []", done.stdout)
            done = self.drive("trace_instants.py", *options, **trace, STAND_IN_SPOIL="mtime")
            self.assertEqual(1, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
