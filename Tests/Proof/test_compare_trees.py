"""That compare_trees sees every kind of difference, and none between a tree and its copy."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import compare_trees

COMMAND = Path(__file__).resolve().parent / "compare_trees.py"


def planted(root):
    """A tree with something of everything."""
    (root / "a/b").mkdir(parents=True)
    (root / "a/one").write_bytes(b"one" * 1000)
    (root / "a/b/two").write_bytes(b"")
    os.link(root / "a/one", root / "a/b/one-again")
    os.link(root / "a/one", root / "one-more")
    (root / "three").write_bytes(b"3")
    os.link(root / "three", root / "three-again")
    os.symlink("a/one", root / "link")
    os.mkfifo(root / "pipe")
    os.setxattr(root / "a/one", "user.kept", b"\0\xff")


CHANGES = {
    "a missing name": (lambda r: (r / "a/b/two").unlink(), "missing /a/b/two"),
    "an extra name": (lambda r: (r / "a/new").write_bytes(b""), "extra /a/new"),
    "another kind": (lambda r: ((r / "pipe").unlink(), (r / "pipe").write_bytes(b"")), "differs /pipe: kind"),
    "a byte": (lambda r: (r / "three").write_bytes(b"4"), "content"),
    "a size": (lambda r: (r / "three").write_bytes(b"33"), "size"),
    "a mode": (lambda r: (r / "three").chmod(0o600), "mode"),
    "a directory's mode": (lambda r: (r / "a").chmod(0o700), "differs /a: mode"),
    "an owner": (lambda r: os.chown(r / "three", 12, -1), "uid"),
    "a group": (lambda r: os.chown(r / "three", -1, 12), "gid"),
    "a link's owner": (lambda r: os.lchown(r / "link", 12, 12), "differs /link: uid"),
    "an attribute's value": (lambda r: os.setxattr(r / "a/one", "user.kept", b"1"), "attributes"),
    "an attribute more": (lambda r: os.setxattr(r / "a", "user.more", b"1"), "differs /a: attributes"),
    "a target": (lambda r: ((r / "link").unlink(), os.symlink("a/two", r / "link")), "target"),
    "a time by 1 ns": (lambda r: os.utime(r / "three", ns=(0, (r / "three").stat().st_mtime_ns + 1)), "(+1 ns)"),
    "a directory's time": (lambda r: os.utime(r / "a", ns=(0, 5)), "differs /a: mtime"),
    "a link count": (lambda r: os.link(r / "three", r / "a/three"), "links"),
    "which names are one file": (lambda r: ((r / "three-again").unlink(), (r / "one-more").unlink(), os.link(r / "a/one", r / "three-again"), os.link(r / "three", r / "one-more")), "links of one file differ"),
}


class Comparing(unittest.TestCase):
    """Each change alone."""

    def pair(self, base):
        want, have = Path(base, "want"), Path(base, "have")
        want.mkdir()
        planted(want)
        subprocess.run(["cp", "-a", want, have], check=True)
        return want, have

    def test_a_copy_has_no_difference(self):
        with tempfile.TemporaryDirectory() as base:
            want, have = self.pair(base)
            self.assertEqual([], compare_trees.compare(want, have))
            self.assertEqual(compare_trees.tree_hash(want), compare_trees.tree_hash(have))

    def test_every_change_is_seen(self):
        for name, (change, expected) in CHANGES.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as base:
                want, have = self.pair(base)
                change(have)
                found = compare_trees.compare(want, have)
                self.assertTrue(any(expected in line for line in found), found)
                self.assertNotEqual(compare_trees.tree_hash(want), compare_trees.tree_hash(have))

    def test_a_view_s_own_attributes_are_no_difference(self):
        with tempfile.TemporaryDirectory() as base:
            want, have = self.pair(base)
            os.setxattr(have, "user.asof.lsn", b"7")
            self.assertEqual([], compare_trees.compare(want, have))

    def test_the_command_fails_on_a_difference(self):
        with tempfile.TemporaryDirectory() as base:
            want, have = self.pair(base)
            self.assertEqual(0, subprocess.run([sys.executable, COMMAND, want, have], capture_output=True, check=False).returncode)
            (have / "three").unlink()
            self.assertEqual(1, subprocess.run([sys.executable, COMMAND, want, have], capture_output=True, check=False).returncode)


if __name__ == "__main__":
    unittest.main()
