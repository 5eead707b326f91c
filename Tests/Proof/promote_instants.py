#!/usr/bin/env python3
"""Mounts of a recorded trace's past that are changed and promoted: the directory that comes out is what was mounted, changes included.

  promote_instants.py garden attic [--asof BIN] [--instants 50] [--seed 1] [--calls 150] [--encrypted] [--base-between] …

The trace goes through a `record` mount, as in trace_instants.py; each chosen instant is restored (restore_instants proves that) and mounted
with `--rw`, with or without `--overlay`. Random calls are made on both, before, while and after the past is written by `asof promote`, which is
killed at random moments or at its crash points and given again; a mount with an overlay is sometimes killed, too, and mounted again. Then
`--finalize`, with crashes. The directory that comes out must equal
  - the restored one, on which the same calls were made, but for times;
  - the mount, which can still be read, in everything.
Before the end there must be no target; afterwards nothing can be changed in the mount. Prints one line a trace; exit 1 on differences.
"""
import argparse
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import asof_process
import compare_trees
import file_model
import processes
import restore_instants
import trace_instants


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="garden, attic, or a path")
    asof_process.add_binary_option(parser)
    parser.add_argument("--instants", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--calls", type=int, default=150, help="at each instant (default 150)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base-between", action="store_true", help="take a base in the middle of the trace")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--until", type=int, metavar="N", help="perform only the first N operations")
    parser.add_argument("--deadline", type=int, default=3600, metavar="SECONDS", help="a trace (default 3600)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory")
    return parser.parse_args()


class Promotion:
    """One instant: a mount that is changed, the same calls on a plain directory, and the promoted one."""

    def __init__(self, given, asof, workspace, chance, when):
        self.given, self.asof, self.chance, self.when = given, asof, chance, when
        self.place = workspace.folder(f"promoted-{chance.randrange(1 << 40):x}")
        self.plain, self.mountpoint, self.target = self.place / "plain", self.place / "mount", self.place / "target"
        self.mountpoint.mkdir()
        self.overlay = self.place / "overlay" if chance.random() < 0.6 else None
        self.asof.run("restore", "--at", when, "--to", self.plain, "-q")
        self.model = file_model.Model.read(self.plain)
        self.calls = file_model.Calls(chance.randrange(1 << 30))
        self.kills = self.changes = 0

    def mount(self):
        self.asof.run("mount", "--at", self.when, "--rw", *(["--overlay", self.overlay] if self.overlay else []), self.mountpoint, "-q")

    def change(self, count):
        """Makes calls on both."""
        for _ in range(count):
            call = self.calls.next(self.model)
            file_model.perform(self.mountpoint, call)
            file_model.perform(self.plain, call)
            self.model.apply(call)
            self.changes += 1

    def die(self):
        """Kills the mount and mounts it again."""
        process = next(m["process"] for m in self.asof.json("status")["mounts"] if m["mountPoint"] == str(self.mountpoint))
        os.kill(process, signal.SIGKILL)
        processes.unmount(self.mountpoint, lazily=True)
        self.mount()
        self.kills += 1

    def promote(self, *options, point=None, seconds=None, calls=0):
        """`asof promote`, which may die. Returns its exit code."""
        process = processes.start([self.asof.binary, "promote", self.mountpoint, "-q", *options], env=self.asof.with_crash(point),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if calls:
            self.change(calls)
        try:
            code = process.wait(120 if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait(30)
        words = process.stderr.read().decode(errors="replace").strip()
        process.stderr.close()
        if code not in (0, -signal.SIGKILL):
            raise processes.CommandFailed(f"promote {' '.join(map(str, options))} ended with {code}: {words}")
        self.kills += code != 0
        return code

    def run(self, points):
        """All of it. Returns what is wrong, as lines."""
        found, third = [], self.given.calls // 3
        self.mount()
        self.change(third)
        while self.promote("--to", self.target, seconds=self.chance.random() * 0.2 if self.chance.random() < 0.4 else None, calls=third) != 0:
            pass
        if self.overlay and self.chance.random() < 0.5:
            self.die()
        self.change(third)
        if self.target.exists() and os.listdir(self.target):
            found.append("the target holds something before the end")
        for point in [*points, None]:
            if self.promote("--finalize", point=point) == 0:
                break
            if self.overlay and self.chance.random() < 0.3:
                self.die()
        found += [f"against the mount: {line}" for line in compare_trees.compare(self.mountpoint, self.target)[:20]]
        found += [f"against the calls: {line}" for line in file_model.differences(self.model, self.target)]
        found += [f"against the plain directory: {line}" for line in compare_trees.compare(self.plain, self.target, times=False)[:20]]
        try:
            (self.mountpoint / "late").mkdir()
            found.append("the mount can still be changed")
        except OSError as problem:
            if problem.errno != errno.EROFS:
                found.append(f"a change afterwards fails with {problem}")
        self.asof.run("umount", self.mountpoint)
        found += [f"left behind: {name}" for name in os.listdir(self.place) if "asof-promoting" in name or "asof-restor" in name]
        shutil.rmtree(self.place)
        return found


def one_trace(given, trace):
    """Records one trace and promotes mounts of its past; returns how many differences there were."""
    more = {"compression": None, "kill_at": [], "speed": 0, "interval": "1s", "segment_size": "8MiB", "single": False, "log": None}
    with processes.Workspace("promote", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"promote_instants {trace}"):
        run = trace_instants.Run(argparse.Namespace(**vars(given), **more), trace, workspace)
        chance, found, looked, kills, changes = random.Random(given.seed), [], 0, 0, 0
        began = time.monotonic()
        try:
            run.record()
            points = [name for name in run.asof.crash_points() if name.startswith(("promote.", "restore.switch."))]
            for number in sorted(chance.sample(range(1, run.last + 1), min(given.instants, run.last))):
                when = restore_instants.at(run.drive.moment_after(number, run.last, chance))
                promotion = Promotion(given, run.asof, workspace, chance, when)
                lines = promotion.run(chance.sample(points, min(2, len(points))) if looked % 2 else [])
                found += [f"after operation {number}: {line}" for line in lines]
                looked, kills, changes = looked + 1, kills + promotion.kills, changes + promotion.changes
        except (asof_process.RecorderDied, processes.CommandFailed, OSError) as problem:
            found.append(f"{type(problem).__name__}: {problem}")
        print("\n".join(found[:200]), end="\n" if found else "")
        print(f"{run.recorded.name}: {looked} instants promoted with {changes} changes, {kills} killed and taken up, {time.monotonic() - began:.0f} s"
              f"{', encrypted' if given.encrypted else ''}{', base between' if given.base_between else ''}, seed {given.seed}: {len(found)} differences", flush=True)
    return len(found)


def main():
    given = parsed()
    os.umask(0)
    sys.exit(1 if sum(one_trace(given, trace) for trace in given.traces) else 0)


if __name__ == "__main__":
    main()
