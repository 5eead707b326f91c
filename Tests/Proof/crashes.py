#!/usr/bin/env python3
"""Crashes of asof: at every named crash point, and by kill -9 at random moments under load.

  crashes.py [--asof BIN] [--random 100] [--points all|NAME,NAME…|none] [--occurrences 1,5] [--seed 1] [--encrypted] …

Half of the random ones die a second time while they start again. Every round goes on in the same repository (a new one every --rounds-per-repository): record starts, writers work, asof dies. Then
  - everything acknowledged must be in the backing directory; what was in flight may be there (up to a byte) or not;
  - record starts again on it and goes on under load, and ends cleanly;
  - the newest view equals the backing directory in everything;
  - moments before the crash, the last acknowledged call among them, and after it are states of the workload (check_cut);
  - earlier instants, remembered from earlier rounds, have the hashes they had.
A crash point is hit in whatever reaches it: record at its start, under load or at its end, `backup create`, `mount`, `init`. One
that nothing reaches is reported, and the exit code is 1, as on any violation.
"""
import argparse
import os
import random
import signal
import sys
import time

import asof_process
import check_cut
import compare_trees
import processes
import resolve
from workload import GONE_CODE
from workload_instants import start_workload
from workload_log import Log


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--random", type=int, default=100, metavar="N", help="kill -9 at N random moments (default 100)")
    parser.add_argument("--points", default="all", help="all (default), none, or names")
    parser.add_argument("--occurrences", default="1,5", help="at which times that a point is reached (default 1,5); only the first must be reached")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.5, help="of load at most before a crash (default 1.5)")
    parser.add_argument("--threads", type=int, default=4, help="writers (default 4)")
    parser.add_argument("--instants", type=int, default=4, help="moments to judge a round (default 4)")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--rounds-per-repository", type=int, default=8, metavar="N")
    parser.add_argument("--interval", default="200ms", help="of the recorder")
    parser.add_argument("--segment-size", default="512KiB", help="of the recorder")
    parser.add_argument("--single", action="store_true", help="mount every instant by itself")
    parser.add_argument("--deadline", type=int, default=120, metavar="SECONDS", help="a round (default 120)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


def await_calls(load, log_path):
    """Waits until the writers make calls."""
    size = os.path.getsize(log_path) if log_path.exists() else 0
    end = time.monotonic() + 10
    while time.monotonic() < end and load.poll() is None and not (log_path.exists() and os.path.getsize(log_path) > size + 200):
        time.sleep(0.002)


class Scene:
    """One repository with its backing directory, its workload's log and what is remembered of earlier instants."""

    def __init__(self, given, workspace, seed):
        self.given, self.workspace, self.chance = given, workspace, random.Random(f"{given.seed} {seed}")
        self.asof = asof_process.Asof(given.asof, workspace, given.encrypted).init()
        self.backing, self.mountpoint = workspace.folder("backing"), workspace.folder("mount")
        self.log_path = workspace.path / "workload.log"
        self.remembered = []
        self.refused = 0

    def recorder(self, crash_at=None):
        """Starts record."""
        return asof_process.Recorder(self.asof, self.backing, self.mountpoint, "--interval", self.given.interval, "--segment-size", self.given.segment_size, crash_at=crash_at)

    def load(self, seconds):
        """Starts the writers."""
        return start_workload(self.mountpoint, self.log_path, self.chance.randrange(1 << 30), seconds, self.given.threads, "--resume")

    @staticmethod
    def settled(load):
        """Waits for the writers, who end by themselves when the mount is gone."""
        code = load.wait(60)
        if code not in (0, GONE_CODE):
            raise processes.CommandFailed(f"the workload ended with {code}")

    # Crashing

    def crash_randomly(self):
        """kill -9 at a random moment under load."""
        recorder = self.recorder()
        load = None
        try:
            recorder.await_ready()
            load = self.load(self.given.seconds + 10)
            await_calls(load, self.log_path)
            time.sleep(self.chance.random() * self.given.seconds)
            if recorder.died():
                raise asof_process.RecorderDied(f"record ended by itself with {recorder.process.returncode}: {recorder.complaints()}")
            recorder.kill()
        finally:
            self._after(recorder, load)
        if self.chance.random() < 0.5:
            return "under load"
        again = self.recorder()
        try:
            time.sleep(self.chance.random() * 0.15)
            again.kill()
        finally:
            self._after(again, None)
        return "under load, and again while it started"

    def crash_at(self, point, seconds=None):
        """Lets asof kill itself at a point within so much load. Returns where that happened, or None."""
        seconds = seconds or self.given.seconds
        recorder, load = self.recorder(point), None
        try:
            try:
                recorder.await_ready()
            except asof_process.RecorderDied:
                return self._killed(recorder, "at the start of record")
            load = self.load(seconds)
            where = self._while_loaded(recorder, load, point, seconds)
            if where is None and not recorder.died():
                recorder.stop()
                where = self._killed(recorder, "at the end of record") if recorder.process.returncode != 0 else None
        finally:
            self._after(recorder, load)
        return where or self._elsewhere(point)

    def _while_loaded(self, recorder, load, point, seconds):
        """The load's time; halfway through, backups. Returns where something was killed, or None."""
        halfway = time.monotonic() + seconds / 2
        backed = False
        while load.poll() is None or not backed:
            if recorder.died():
                return self._killed(recorder, "under load")
            if not backed and time.monotonic() > halfway:
                backed = True
                for kind in ("incremental", "base"):
                    done = self.asof.run("backup", "create", "--type", kind, check=False, crash_at=point)
                    if done.returncode == -signal.SIGKILL:
                        return f"in backup create --type {kind}"
                    # Its end is heard of by the command before it is by us.
                    patience = time.monotonic() + 2
                    while done.returncode == 75 and not recorder.died() and time.monotonic() < patience:
                        time.sleep(0.01)
                    if recorder.died():
                        return self._killed(recorder, f"in record during backup create --type {kind}")
                    if done.returncode != 0:
                        raise processes.CommandFailed(f"backup create --type {kind} ended with {done.returncode}: {done.stderr.strip()}")
            time.sleep(0.005)
        return None

    def _elsewhere(self, point):
        """The commands beside record."""
        for kind in ("base", "incremental"):
            if self.asof.run("backup", "create", "--type", kind, check=False, crash_at=point).returncode == -signal.SIGKILL:
                return f"in backup create --type {kind} without a recorder"
        other = self.workspace.folder("other-view")
        try:
            if self.asof.run("mount", "--at", "latest", other, check=False, crash_at=point, timeout=30).returncode == -signal.SIGKILL:
                return "in mount"
            if processes.is_mounted(other):
                os.listdir(other)
        except OSError:
            return "in a mounted view"
        finally:
            self.asof.unmount(other)
        with processes.Workspace("init") as workspace:
            fresh = asof_process.Asof(self.given.asof, workspace)
            if fresh.run("init", check=False, crash_at=point).returncode == -signal.SIGKILL:
                fresh.run("init", check=False)
                fresh.run("status", "--json")
                return "in init"
        return None

    @staticmethod
    def _killed(recorder, where):
        code = recorder.process.wait(10)
        if code == -signal.SIGKILL:
            return where
        raise asof_process.RecorderDied(f"record ended with {code} {where}: {recorder.complaints()}")

    def _after(self, recorder, load):
        if not recorder.died():
            recorder.kill()
        if load is not None:
            self.settled(load)  # before unmounting: a writer must meet the dead mount, not what lies under it
        self.asof.unmount(self.mountpoint)

    # Looking

    def check(self):
        """After a crash: everything that must hold. Returns the lines about what does not."""
        found = []
        if self.log_path.exists():
            found += [f"acknowledged, but not in the backing directory: {v}" for v in resolve.resolve(self.log_path, self.backing).violations[:20]]
        crashed = time.time_ns()
        recorder = self.recorder()
        with recorder:
            revived = time.time_ns()
            if self.log_path.exists():
                resolve.confirm(self.log_path, revived)
            # Until a violation is looked at by a person the writers would only hide it.
            if not found:
                self.settled(self.load(0.3))
        with asof_process.Views(self.asof, self.given.single) as views:
            found += [f"the newest view against the backing directory: {line}" for line in compare_trees.compare(self.backing, views.latest())[:40]]
            if self.log_path.exists():
                found += self._instants(views, crashed, revived)
            found += self._remembered(views)
        return found

    def _instants(self, views, crashed, revived):
        log = Log(self.log_path)
        first = log.operations[0]["b"]
        done = [o["e"] for o in log.operations if o["e"] and o["e"] <= crashed and not o.get("maybe")]
        acknowledged = max(done, default=first)
        last = max(o["e"] for o in log.operations if o["e"])
        # The first call can begin before there is a state to go back to; when it is acknowledged there is one.
        since = self.remembered[-1][0] if self.remembered else min(done, default=first)
        chosen = [self.chance.randint(revived, max(revived, last))]
        # Where nothing was acknowledged there may have been no state yet.
        if done:
            chosen += [acknowledged] + [self.chance.randint(min(since, acknowledged), acknowledged) for _ in range(self.given.instants)]
        found, judge = [], check_cut.Judge(log)
        for moment in sorted(chosen):
            where = f"at {asof_process.rfc3339(moment)} ({(moment - acknowledged) / 1e6:+.3f} ms from the last call acknowledged before the crash)"
            try:
                folder = views.at(moment)
                os.lstat(folder)
            except (OSError, processes.CommandFailed) as problem:
                if self._in_declared_gap(moment):
                    self.refused += 1  # nobody captured from the crash on: asof may refuse what it declares to be a gap
                else:
                    found.append(f"{where}: cannot be read: {problem}")
                continue
            found += [f"{where}: {violation}" for violation in judge.judge(folder, moment).violations[:10]]
            if not found and moment < acknowledged:
                self.remembered.append((moment, compare_trees.tree_hash(folder)))
        return found

    def _in_declared_gap(self, moment):
        """True when `asof window` says that the moment lies in a gap: between a crash and the end of the comparison after it."""
        return in_gap(moment, self.asof.json("window")["gaps"])

    def _remembered(self, views):
        found = []
        for moment, digest in self.chance.sample(self.remembered, min(4, len(self.remembered))):
            if compare_trees.tree_hash(views.at(moment)) != digest:
                found.append(f"at {asof_process.rfc3339(moment)}: another tree than before the crash")
        return found


def in_gap(moment, gaps):
    """Whether a moment in ns lies inside one of the gaps of `window`, to the ns: its ends are states that can be read."""
    return any(asof_process.nanoseconds(gap["after"]["time"]) < moment < asof_process.nanoseconds(gap["before"]["time"]) for gap in gaps)


class Rounds:
    """Runs rounds, with a new scene now and then, and keeps count."""

    def __init__(self, given):
        self.given, self.failed, self.unreachable, self.done, self.refused = given, [], [], 0, 0
        self.scene, self.workspace, self.age = None, None, 0

    def current(self):
        """The scene to go on in."""
        if self.scene is None or self.age >= self.given.rounds_per_repository:
            self.close()
            self.workspace = processes.Workspace("crash", self.given.keep)
            self.scene, self.age = Scene(self.given, self.workspace, self.done), 0
        self.age += 1
        return self.scene

    def close(self):
        """Takes the scene away."""
        if self.workspace:
            self.refused += self.scene.refused if self.scene else 0
            self.workspace.__exit__(None)
        self.scene = self.workspace = None

    def one(self, name, crash, must_hit=True):
        """One round. After one that failed a new scene begins."""
        began = time.monotonic()
        scene = self.current()
        with processes.Deadline(self.given.deadline, self.workspace.path, name):
            try:
                where = crash(scene)
                # What a point needs can be rare: it gets more load before it is called unreachable.
                for longer in (2, 4) if must_hit else ():
                    if where is None:
                        where = crash(scene, self.given.seconds * longer)
                found = scene.check()
            except (asof_process.RecorderDied, processes.CommandFailed, OSError) as problem:
                where, found = "?", [str(problem)]
        self.done += 1
        if where is None and must_hit:
            self.unreachable.append(name)
        print("\n".join(found), end="\n" if found else "")
        print(f"{name}: {'not reached' if where is None else where}; {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
        if found:
            self.failed.append(name)
            self.close()


def main():
    given = parsed()
    rounds = Rounds(given)
    try:
        for point in points(given):
            for occurrence in (int(n) for n in given.occurrences.split(",")):
                rounds.one(f"{point}:{occurrence}", lambda scene, seconds=None, at=f"{point}:{occurrence}": scene.crash_at(at, seconds), must_hit=occurrence == 1)
        for number in range(given.random):
            rounds.one(f"kill -9 number {number + 1} (seed {given.seed})", Scene.crash_randomly, must_hit=False)
    finally:
        rounds.close()
    print(f"{rounds.done} crashes, {len(rounds.failed)} failed{': ' + ', '.join(rounds.failed) if rounds.failed else ''}; "
          f"{len(rounds.unreachable)} points not reached{': ' + ', '.join(rounds.unreachable) if rounds.unreachable else ''}; "
          f"{rounds.refused} moments were refused, each inside a declared gap")
    sys.exit(1 if rounds.failed or rounds.unreachable else 0)


def points(given):
    """The names of the points to crash at."""
    if given.points == "none":
        return []
    if given.points != "all":
        return given.points.split(",")
    with processes.Workspace("points") as workspace:
        names = asof_process.Asof(given.asof, workspace).crash_points()
    if not names:
        raise SystemExit("asof names no crash points")
    # follow_crashes.py and restore_instants.py visit those.
    return [name for name in names if not name.startswith(("follow.", "overlay.", "promote.", "restore."))]


if __name__ == "__main__":
    main()
