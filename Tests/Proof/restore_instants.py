#!/usr/bin/env python3
"""Restores of a recorded trace's past: at every chosen instant the restored folder is the directory as it was.

  restore_instants.py garden attic [--asof BIN] [--instants 50] [--seed 1] [--encrypted] [--base-between] [--kills 10] [--points all|none] …

The trace goes through a `record` mount, as in trace_instants.py. Then each chosen instant is restored, and must equal
  - the recording's own model after that operation, in names, kinds, modes, sizes, link counts and every byte;
  - the mounted view of the same instant, in owners, times to the ns and extended attributes, too.
Then restores are killed, by kill -9 at random moments and at every crash point of `restore`: until the same command, given again, has
ended, there must be no target at all, and then it must be whole. The same again in place (`--in-place`), into a directory that holds
something else: until it has ended the directory must be untouched or say that it is not finished, then what was there before must be kept
whole, and with that discarded the directory must be the state. Prints one line, before it the differences; exit 1 when there are any.
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


#: Crash points that a restore comes by often, and at which times it is killed there.
REPEATED = {"restore.piece.written": (1, 1, 2, 40), "restore.swap.moved": (1, 2, 8), "restore.swap.left": (1, 2, 3), "restore.swap.entered": (1, 2, 3)}


class Restores:
    """Restores of one repository, each into a folder of its own, which goes when it was looked at."""

    #: The crash points that these come by.
    POINTS = ("restore.begin.", "restore.batch.", "restore.folders.", "restore.piece.", "restore.switch.")

    def __init__(self, asof, workspace, jobs, chance):
        self.asof, self.workspace, self.jobs, self.chance = asof, workspace, jobs, chance
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
        done = self.asof.run(*self.command(when, target)[1:], check=False)
        self.seconds += time.monotonic() - began
        if done.returncode != 0:
            return [f"restore ended with {done.returncode}: {done.stderr.strip()}"]
        return [f"left behind: {name}" for name in self.left(target)]

    def left(self, _target):
        """Names of what a restore that ended left behind."""
        return [name for name in os.listdir(self.place) if "asof-restor" in name]

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
        return code == -signal.SIGKILL, self.half_done(target) if code == -signal.SIGKILL else []

    def half_done(self, target):
        """What is wrong with a target whose restore was killed, as lines."""
        if target.exists() and os.listdir(target) and not self.is_switched(target):
            return ["killed, and the target holds something although the rename was not made"]
        return []

    def judge(self, want, target):
        """What is wrong with a target whose restore has ended, as lines."""
        return compare_trees.compare(want, target)[:20]

    def is_switched(self, target):
        """Whether the tree has its name already."""
        return not any(os.path.exists(self.place / name / "tree") for name in os.listdir(self.place) if name.startswith(target.name + ".asof-restoring-"))

    def is_over(self, target):
        """Whether the target is there and no restore to it waits for its end."""
        waiting = [name for name in os.listdir(self.place) if name.startswith(target.name + ".asof-restor")]
        return target.exists() and os.listdir(target) != [] and not waiting

    def clear(self):
        """Takes everything away."""
        for name in os.listdir(self.place):
            shutil.rmtree(self.place / name, ignore_errors=True)


class InPlace(Restores):
    """The same into directories that hold something, as the roots of volumes do."""

    POINTS = ("restore.begin.", "restore.batch.", "restore.folders.", "restore.piece.", "restore.swap.")

    def __init__(self, asof, workspace, jobs, chance, want):
        super().__init__(asof, workspace, jobs, chance)
        self.place = workspace.folder("in-place")
        self.old = workspace.folder("in-place-before")
        # Names that the state has, too, and others.
        for number, name in enumerate([*sorted(os.listdir(want))[:5], "other", "another"]):
            if number % 2:
                (self.old / name).mkdir()
                (self.old / name / "deep").write_bytes(chance.randbytes(5000))
            else:
                (self.old / name).write_bytes(chance.randbytes(3000))
        os.chown(self.old, 1000, 1001)
        self.old.chmod(0o2750)

    def command(self, when, target):
        return [str(self.asof.binary), "restore", "--at", when, "--in-place", str(target), "--jobs", self.jobs, "-q"]

    def target(self):
        self.count += 1
        target = self.place / f"at-{self.count}"
        subprocess.run(["cp", "-a", self.old, target], check=True)
        return target

    @staticmethod
    def begun(target):
        """Folders in the target that say that a restore is not finished."""
        return [name for name in os.listdir(target) if name.startswith(".asof-") and (target / name / "state").exists()]

    def left(self, target):
        return self.begun(target) + [name for name in os.listdir(target) if name.startswith(".asof-restor")]

    def half_done(self, target):
        if self.is_over(target) or self.begun(target):
            return []
        hidden = [name for name in os.listdir(target) if name.startswith(".asof-")]
        shown = sorted(set(os.listdir(target)) - set(hidden))
        return [] if shown == sorted(os.listdir(self.old)) else ["killed, and nothing says that the directory is neither old nor new"]

    def is_over(self, target):
        return any(name.startswith(".asof-replaced-") for name in os.listdir(target)) and not self.begun(target)

    def judge(self, want, target):
        kept = [target / name / "old" for name in os.listdir(target) if name.startswith(".asof-replaced-")]
        if len(kept) != 1:
            return [f"{len(kept)} folders keep what was there before"]
        status = self.old.stat()
        os.utime(kept[0], ns=(status.st_atime_ns, status.st_mtime_ns))
        found = [f"kept: {line}" for line in compare_trees.compare(self.old, kept[0])[:10]]
        self.asof.run("restore", "--discard-old", target)
        return found + super().judge(want, target)


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
        in_place = InPlace(restores.asof, restores.workspace, restores.jobs, restores.chance, want)
        in_place.seconds, in_place.count = restores.seconds, restores.count
        found += [f"in place: {line}" for line in kills(given, want, in_place)]
        restores.resumed += in_place.resumed
    return len(numbers), found


def kills(given, want, restores):
    """Restores of the last state that are killed and go on. Returns the lines about what is wrong."""
    found, usual = [], max(0.02, restores.seconds / max(1, restores.count))
    lsn = f"lsn:{asof_process.Views.lsn(want)}"
    points = [name for name in restores.asof.crash_points() if name.startswith(restores.POINTS)] if given.points == "all" else []
    for what in points + [None] * given.kills:
        target = restores.target()
        for attempt in range(restores.chance.randint(1, 3)):
            seconds = None if what else restores.chance.random() * usual * 1.2
            occurrence = restores.chance.choice(REPEATED.get(what, (1,)) if attempt == 0 else (1,))
            point = what and f"{what}:{occurrence}"
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
        found += [f"{what or 'kill -9'}: {line}" for line in restores.judge(want, target)]
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
