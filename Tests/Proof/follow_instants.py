#!/usr/bin/env python3
"""Seeded workloads on a plain directory that `asof follow` watches; then every cut is judged by check_cut.

  follow_instants.py [--asof BIN] [--seeds 1-8] [--ticks 200] [--tick 20ms] [--ways ptrace,signal,cgroup] …

For every seed: a directory with some files, `follow`, a workload of concurrent writers that pass tokens to each other, for as long as
the ticks take. Every tick's state must be one that the calls of the writers could have left at that moment: no effect without its
cause, nothing that had finished before the stop missing. The newest view must equal the directory in everything. Fuzzy ticks are
counted and judged like the others only with --strict. A failing seed is printed; exit 1.
"""
import argparse
import os
import random
import subprocess
import sys
import time

import asof_process
import check_cut
import compare_trees
import processes
from workload_instants import seeds, start_workload
from workload_log import Log


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--seeds", type=seeds, default=seeds("1-8"), metavar="1-8")
    parser.add_argument("--seconds", type=float, default=4, help="of workload a seed (default 4)")
    parser.add_argument("--tick", default="20ms")
    parser.add_argument("--threads", type=int, default=4, help="writers (default 4)")
    parser.add_argument("--cuts", type=int, default=100, help="to judge of each seed (default 100)")
    parser.add_argument("--ways", default="ptrace,signal", help="of stopping, taken in turn (default %(default)s)")
    parser.add_argument("--deadline", type=int, default=300, metavar="SECONDS", help="a seed (default 300)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Follower:
    """`asof follow` in the foreground."""

    def __init__(self, asof, directory, *options):
        self.log = asof.workspace.path / "follow.log"
        with open(self.log, "ab") as log:
            self.process = processes.start([asof.binary, "follow", directory, *options], stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log, env=asof.environment)

    def __enter__(self):
        end = time.monotonic() + 30
        while b"ready" not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                raise processes.CommandFailed(f"follow is not ready: {self.complaints()}")
            time.sleep(0.01)
        return self

    def complaints(self):
        """What it said."""
        return self.log.read_text(errors="replace")[-2000:].strip()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(60)
        if code != 0:
            raise processes.CommandFailed(f"follow ended with {code}: {self.complaints()}")


def one_seed(given, seed):
    """Everything for one seed; returns (what it was, the lines about violations)."""
    chance = random.Random(seed)
    ways = given.ways.split(",")
    way = ways[seed % len(ways)]
    with processes.Workspace(f"follow-{seed}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"seed {seed}"):
        asof = asof_process.Asof(given.asof, workspace, seed % 3 == 0).init()
        directory, log_path = workspace.folder("data"), workspace.path / "workload.log"
        load = start_workload(directory, log_path, seed, given.seconds, given.threads, "--processes" if seed % 4 == 3 else None)
        # Something is there before, and changes during the first scan.
        time.sleep(0.5)
        with Follower(asof, directory, "--tick", given.tick, "--stop-by", way, "--interval", "1s"):
            status = {}
            while load.poll() is None:
                time.sleep(0.2)
                status = asof.json("status")["recorder"] or status
            if load.returncode != 0:
                return "", [f"the workload ended with {load.returncode}"]
        log = Log(log_path)
        with asof_process.Views(asof) as views:
            found = ticks(asof, views, log, given.cuts, chance)
    follow = status.get("follow") or {}
    what = (f"{len(log.operations)} calls by {given.threads} writers, {way}; {follow.get('ticks')} ticks, {follow.get('fuzzyTicks')} fuzzy, "
            f"{follow.get('missedTicks')} missed; stall {follow.get('stallMedian')} µs p50, {follow.get('stall99')} µs p99")
    return what, found


def ticks(asof, views, log, count, chance):
    """Judges cuts, in ascending order."""
    window = asof.json("window")
    first, last = window["from"]["lsn"], window["to"]["lsn"]
    chosen = sorted(chance.sample(range(first, last + 1), min(count, last + 1 - first)))
    found, judge = [], check_cut.Judge(log)
    for lsn in chosen:
        try:
            folder = views.after(lsn)
            moment = asof_process.nanoseconds(os.getxattr(folder, "user.asof.time").decode())
            verdict = judge.judge(folder, moment)
        except (OSError, processes.CommandFailed) as problem:
            found.append(f"lsn:{lsn}: cannot be read: {problem}")
            continue
        found += [f"lsn:{lsn}: {violation}" for violation in verdict.violations[:10]]
    return found


def main():
    given, failed = parsed(), []
    for seed in given.seeds:
        began = time.monotonic()
        try:
            what, found = one_seed(given, seed)
        except (asof_process.RecorderDied, processes.CommandFailed) as problem:
            what, found = "", [str(problem)]
        print("\n".join(found[:40]), end="\n" if found else "")
        print(f"seed {seed}: {what}: {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
        if found:
            failed.append(str(seed))
    print(f"{len(given.seeds)} seeds, {len(failed)} failed{': --seeds ' + ','.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
