#!/usr/bin/env python3
"""kill -9 of `asof follow` at its crash points, and at random moments; then everything that must hold.

  follow_crashes.py [--asof BIN] [--points all|NAME,NAME…|none] [--occurrences 1,3] [--random 20] [--seed 1] …

A server (the seeded workload) goes on all the while: it must not notice more than that it stands still. After the crash follow starts
again; states from before the crash and from after it are judged by check_cut, and the newest equals the directory once the server has
ended. What lies in between is a declared gap. A point that no round reaches is a failure; one that fails is printed with its seed; exit 1.
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
from crashes import in_gap
from follower import Follower
from workload_instants import start_workload
from workload_log import Log

# Points of other commands, and of record's own ways.
ELSEWHERE = ("record.", "overlay.", "promote.", "restore.", "journal.keep.", "journal.intent.before")


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--points", default="all", help="all (default), none, or names")
    parser.add_argument("--occurrences", default="1,3", help="at which visits of a point (default %(default)s)")
    parser.add_argument("--random", type=int, default=20, help="kills at random moments (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3, help="of load (default %(default)s)")
    parser.add_argument("--tick", default="30ms")
    parser.add_argument("--cuts", type=int, default=12, help="to judge of each round (default %(default)s)")
    parser.add_argument("--deadline", type=int, default=200, metavar="SECONDS", help="a round (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Round:
    """One directory, one crash."""

    def __init__(self, given, workspace, number, point):
        self.given, self.chance, self.point = given, random.Random(given.seed * 1000 + number), point
        self.asof = asof_process.Asof(given.asof, workspace, number % 3 == 0).init()
        self.directory, self.log_path = workspace.folder("data"), workspace.path / "workload.log"
        self.way = ("ptrace", "signal")[number % 2]

    def follower(self, point=None, name="follow"):
        """A follower that kills itself at a point."""
        environment = dict(self.asof.environment, **({"ASOF_CRASH_AT": point} if point else {}))
        return Follower(self.asof, self.directory, "--tick", self.given.tick, "--stop-by", self.way, "--interval", "300ms", "--segment-size", "1MiB",
                        name=name, environment=environment)

    @property
    def is_appending(self):
        """Whether the point is about gigabytes: then one file is appended to, and every state must be a prefix of it."""
        return (self.point or "").startswith("follow.ahead.")

    def load(self):
        """The server."""
        if self.is_appending:
            program = "import os,sys,time\nf=open(sys.argv[1],'ab',0)\nfor n in range(24): f.write(os.urandom(4<<20)); time.sleep(.05)"
            return processes.start([sys.executable, "-c", program, self.directory / "segment-1.wal"])
        return start_workload(self.directory, self.log_path, self.chance.randrange(1 << 30), self.given.seconds, 4, None)

    def run(self):
        """Crashes it. Returns (where, the lines about violations)."""
        load = self.load()
        where = None
        try:
            time.sleep(0.2)
            first = self.follower(self.point, "crashed").start()
            end = time.monotonic() + (self.given.seconds if self.point else 0.3 + self.chance.random() * self.given.seconds)
            while first.process.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            if first.process.poll() is None and self.point:
                # At its end: the last tick, and what is archived then.
                first.process.terminate()
                first.process.wait(60)
            elif first.process.poll() is None:
                first.kill()
            if first.process.returncode == -signal.SIGKILL:
                where = "under load" if load.poll() is None else "after the load"
            elif first.process.returncode != 0:
                return "?", [f"follow ended with {first.process.returncode}: {first.complaints()}"]
            with self.follower() as again:
                load.wait(60)
                again.await_captured(time.time_ns(), 60)
        finally:
            if load.poll() is None:
                load.kill()
        if load.returncode != 0:
            return where, [f"the server ended with {load.returncode}"]
        return where, self.judge()

    def judge(self):
        """The lines about what does not hold."""
        window = self.asof.json("window")
        log = None if self.is_appending else Log(self.log_path)
        found = []
        with asof_process.Views(self.asof) as views:
            found += [f"the newest view against the directory: {line}" for line in compare_trees.compare(self.directory, views.latest())[:20]]
            judge, (low, high) = log and check_cut.Judge(log), (window["from"]["lsn"], window["to"]["lsn"])
            for lsn in sorted(self.chance.sample(range(low, high + 1), min(self.given.cuts, high + 1 - low))):
                if any(gap["after"]["lsn"] < lsn < gap["before"]["lsn"] for gap in window["gaps"]):
                    continue
                try:
                    folder = views.after(lsn)
                    moment = asof_process.nanoseconds(os.getxattr(folder, "user.asof.time").decode())
                    exact = os.getxattr(folder, "user.asof.exact") == b"true"
                    violations = judge.judge(folder, moment).violations if judge else self.not_a_prefix(folder)
                except (OSError, processes.CommandFailed) as problem:
                    found.append(f"lsn:{lsn}: cannot be read: {problem}")
                    continue
                if exact and not in_gap(moment, window["gaps"]):
                    found += [f"lsn:{lsn}: {violation}" for violation in violations[:10]]
        return found


    def not_a_prefix(self, folder):
        """What is wrong with the file that is appended to."""
        try:
            then = (folder / "segment-1.wal").read_bytes()
        except FileNotFoundError:
            return []
        with open(self.directory / "segment-1.wal", "rb") as now:
            return [] if now.read(len(then)) == then else [f"segment-1.wal: its {len(then)} bytes are no prefix of what it became"]


def main():
    given, failed, unreached, done = parsed(), [], [], 0
    rounds = [(f"{point}:{n}", n == 1) for point in points(given) for n in (int(o) for o in given.occurrences.split(","))]
    rounds += [(None, False)] * given.random
    for number, (point, must_hit) in enumerate(rounds):
        began = time.monotonic()
        name = point or f"kill -9 number {number}"
        with processes.Workspace(f"follow-crash-{number}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, name):
            try:
                where, found = Round(given, workspace, number, point).run()
            except (asof_process.RecorderDied, processes.CommandFailed, OSError) as problem:
                where, found = "?", [str(problem)]
        done += 1
        if where is None and must_hit:
            unreached.append(point)
        print("\n".join(found), end="\n" if found else "")
        print(f"{name} (seed {given.seed}): {where or 'not reached'}; {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
        if found:
            failed.append(name)
    print(f"{done} crashes, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}; {len(unreached)} points not reached"
          f"{': ' + ', '.join(unreached) if unreached else ''}")
    sys.exit(1 if failed or unreached else 0)


def points(given):
    """The names of the points to crash at."""
    if given.points != "all":
        return [] if given.points == "none" else given.points.split(",")
    with processes.Workspace("points") as workspace:
        return [name for name in asof_process.Asof(given.asof, workspace).crash_points() if not name.startswith(ELSEWHERE)]


if __name__ == "__main__":
    main()
