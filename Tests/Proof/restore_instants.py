#!/usr/bin/env python3
"""Restores of a recorded trace's past: at every chosen instant the restored folder is the directory as it was.

  restore_instants.py garden attic [--asof BIN] [--instants 50] [--seed 1] [--encrypted] [--base-between] [--kills 10] [--points all|none] …

The trace goes through a `record` mount, as in trace_instants.py. Then each chosen instant is restored, and must equal
  - the recording's own model after that operation, in names, kinds, modes, sizes, link counts and every byte;
  - the mounted view of the same instant, in owners, times to the ns and extended attributes, too.
Then restores are killed, by kill -9 at random moments and at every crash point of `restore`: until the same command, given again, has
ended, there must be no target at all, and then it must be whole. Prints one line, before it the differences; exit 1 when there are any.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import asof_process
import compare_trees
import processes
import trace_instants
import trace_model


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="garden, attic, or a path")
    asof_process.add_binary_option(parser)
    parser.add_argument("--instants", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--kills", type=int, default=10, help="restores that are killed at a random moment (default 10)")
    parser.add_argument("--points", default="all", help="crash points: all (default) or none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base-between", action="store_true", help="take a base in the middle of the trace")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--until", type=int, metavar="N", help="perform only the first N operations")
    parser.add_argument("--jobs", default="2", help="threads of a restore (default 2)")
    parser.add_argument("--deadline", type=int, default=1800, metavar="SECONDS", help="a trace (default 1800)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory")
    return parser.parse_args()


class Restores:
    """Restores of one repository, each into a folder of its own, which goes when it was looked at."""

    def __init__(self, asof, workspace, jobs, chance):
        self.asof, self.jobs, self.chance = asof, jobs, chance
        self.place = workspace.folder("restored")
        self.count, self.seconds, self.resumed = 0, 0.0, 0

    def command(self, when, target):
        """The command line."""
        return [str(self.asof.binary), "restore", "--at", when, "--to", str(target), "--jobs", self.jobs, "-q"]

    def target(self):
        """A place for the next one; sometimes an empty folder stands there."""
        self.count += 1
        target = self.place / f"at-{self.count}"
        if self.chance.random() < 0.3:
            target.mkdir()
        return target

    def whole(self, when, target):
        """Restores to the end. Returns what is wrong with that, as lines."""
        began = time.monotonic()
        done = self.asof.run("restore", "--at", when, "--to", target, "--jobs", self.jobs, "-q", check=False)
        self.seconds += time.monotonic() - began
        if done.returncode != 0:
            return [f"restore ended with {done.returncode}: {done.stderr.strip()}"]
        left = [name for name in os.listdir(self.place) if "asof-restoring" in name]
        return [f"left behind: {name}" for name in left]

    def killed(self, when, target, seconds=None, point=None):
        """Starts a restore that dies after so many seconds, or at a point. Returns whether it did, and what is wrong, as lines."""
        process = processes.start(self.command(when, target), env=self.asof.with_crash(point), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            code = process.wait(60 if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait(30)
        words = process.stderr.read().decode(errors="replace").strip()
        process.stderr.close()
        if code not in (0, -signal.SIGKILL):
            return False, [f"a restore that was to be killed ended with {code}: {words}"]
        if code == -signal.SIGKILL and target.exists() and os.listdir(target) and not self.is_switched(target):
            return True, ["killed, and the target holds something although the rename was not made"]
        return code == -signal.SIGKILL, []

    def is_switched(self, target):
        """Whether the tree has its name already."""
        return not any(os.path.exists(self.place / name / "tree") for name in os.listdir(self.place) if name.startswith(target.name + ".asof-restoring-"))

    def is_over(self, target):
        """Whether the target is there and no restore to it waits for its end."""
        waiting = [name for name in os.listdir(self.place) if name.startswith(target.name + ".asof-restoring-") and os.listdir(self.place / name)]
        return target.exists() and os.listdir(target) != [] and not waiting

    def clear(self):
        """Takes everything away."""
        for name in os.listdir(self.place):
            shutil.rmtree(self.place / name, ignore_errors=True)


def at(moment):
    """A moment in ns as asof takes it."""
    seconds, rest = divmod(moment, 1_000_000_000)
    return f"@{seconds}.{rest:09d}"


def judge(given, run, restores):
    """Restores at every chosen instant. Returns the lines about what differs."""
    found, model = [], trace_model.Model(run.recorded)
    numbers = sorted(restores.chance.sample(range(1, run.last + 1), min(given.instants, run.last)))
    with asof_process.Views(run.asof) as views:
        for number in numbers:
            model.advance(number)
            moment = run.drive.moment_after(number, run.last, restores.chance)
            target = restores.target()
            lines = restores.whole(at(moment), target)
            if not lines:
                lines = model.differences(target) + [f"against the view: {line}" for line in compare_trees.compare(views.at(moment), target)]
            found += [f"after operation {number}, at {asof_process.rfc3339(moment)}: {line}" for line in lines[:20]]
            restores.clear()
        want = views.at(run.drive.moment_after(run.last, run.last, restores.chance))
        found += kills(given, want, restores)
    return len(numbers), found


def kills(given, want, restores):
    """Restores of the last state that are killed and go on. Returns the lines about what is wrong."""
    found, usual = [], max(0.02, restores.seconds / max(1, restores.count))
    lsn = f"lsn:{asof_process.Views.lsn(want)}"
    points = [name for name in restores.asof.crash_points() if name.startswith("restore.")] if given.points == "all" else []
    for what in points + [None] * given.kills:
        target = restores.target()
        for attempt in range(restores.chance.randint(1, 3)):
            seconds = None if what else restores.chance.random() * usual * 1.2
            point = f"{what}:{restores.chance.choice((1, 1, 2, 40))}" if what == "restore.piece.written" else what
            died, lines = restores.killed(lsn, target, seconds, point)
            found += [f"{what or 'kill -9'}: {line}" for line in lines]
            restores.resumed += died
            if attempt == 0 and what and not died:
                found.append(f"{what}: not reached")
            if not died or restores.is_over(target):
                break
        # Where nothing of the restore is left, the command refuses: there is nothing to do.
        if not restores.is_over(target):
            found += [f"{what or 'kill -9'}, then again: {line}" for line in restores.whole(lsn, target)]
        found += [f"{what or 'kill -9'}: {line}" for line in compare_trees.compare(want, target)[:20]]
        restores.clear()
    return found


def one_trace(given, trace):
    """Records one trace and restores its past; returns how many differences there were."""
    more = {"compression": None, "kill_at": [], "speed": 0, "interval": "1s", "segment_size": "8MiB", "single": False, "log": None}
    with processes.Workspace("restore", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"restore_instants {trace}"):
        run = trace_instants.Run(argparse.Namespace(**vars(given), **more), trace, workspace)
        restores = Restores(run.asof, workspace, given.jobs, random.Random(given.seed))
        try:
            run.record()
            looked, found = judge(given, run, restores)
        except (asof_process.RecorderDied, processes.CommandFailed, OSError) as problem:
            looked, found = 0, [f"{type(problem).__name__}: {problem}"]
        print("\n".join(found[:200]), end="\n" if found else "")
        print(f"{run.recorded.name}: {looked} instants restored ({restores.seconds / max(1, restores.count):.2f} s each), {restores.resumed} killed and taken up"
              f"{', encrypted' if given.encrypted else ''}{', base between' if given.base_between else ''}, seed {given.seed}: {len(found)} differences", flush=True)
    return len(found)


def main():
    given = parsed()
    sys.exit(1 if sum(one_trace(given, trace) for trace in given.traces) else 0)


if __name__ == "__main__":
    main()
