#!/usr/bin/env python3
"""Seeded workloads on a plain directory that `asof follow` watches; then every cut is judged by check_cut.

  follow_instants.py [--asof BIN] [--seeds 1-8] [--seconds 4] [--ticks 10ms,20ms] [--ways ptrace,signal,cgroup] [--watches fanotify,inotify] …

For every seed: a directory with some files, `follow`, a workload of concurrent writers that pass tokens to each other. Six seeds in a row
go through all ways of stopping with both watches; way cgroup puts the workload in a cgroup of its own. Every tick's state must be one
that the calls of the writers could have left at that moment: no effect without its cause, nothing that had finished before the stop
missing. The newest view must equal the directory in everything. Fuzzy ticks are counted, and judged like the others only with
--strict. A failing seed is printed; exit 1.
"""
import argparse
import os
import random
import sys
import time

import asof_process
import cgroups
import check_cut
import compare_trees
import follow_traces
import follower
import processes
from workload_instants import seeds, start_workload
from workload_log import Log


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--seeds", type=seeds, default=seeds("1-8"), metavar="1-8")
    parser.add_argument("--seconds", type=float, default=4, help="of workload a seed (default 4)")
    parser.add_argument("--ticks", default="10ms,20ms", help="taken in turn (default %(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="writers (default 4)")
    parser.add_argument("--cuts", type=int, default=100, help="to judge of each seed (default 100)")
    parser.add_argument("--ways", default="ptrace,signal,cgroup", help="of stopping, taken in turn (default %(default)s)")
    parser.add_argument("--watches", default="fanotify,inotify", help="taken in turn (default %(default)s)")
    parser.add_argument("--strict", action="store_true", help="judge fuzzy cuts too")
    parser.add_argument("--fuzzy", type=float, default=5, metavar="PERCENT", help="of the cuts at most (default 5)")
    parser.add_argument("--deadline", type=int, default=300, metavar="SECONDS", help="a seed (default 300)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Variant:
    """What a seed chooses."""

    def __init__(self, given, seed):
        self.ways, self.watches, ticks = given.ways.split(","), given.watches.split(",") if given.watches else [None], given.ticks.split(",")
        self.way, self.watch = self.ways[seed % len(self.ways)], self.watches[seed // len(self.ways) % len(self.watches)]
        self.tick = ticks[seed // (len(self.ways) * len(self.watches)) % len(ticks)]

    def options(self, load):
        """Of the follower."""
        return ["--tick", self.tick, "--stop-by", self.way, "--interval", "1s", "--pid", load.pid, *(("--watch-by", self.watch) if self.watch else ())]

    def __str__(self):
        return f"{self.way}, {self.watch or 'any watch'}, tick {self.tick}"


def one_seed(given, seed):
    """Everything for one seed; returns (what it was, the lines about violations)."""
    chance, variant = random.Random(seed), Variant(given, seed)
    with processes.Workspace(f"follow-{seed}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"seed {seed}"), \
            follow_traces.Group(variant.way) as group:
        asof = asof_process.Asof(given.asof, workspace, seed % 3 == 0).init()
        directory, log_path = workspace.folder("data"), workspace.path / "workload.log"
        # Writers that are processes are found as the children of the first.
        load = start_workload(directory, log_path, seed, given.seconds, given.threads, "--processes" if seed % 4 == 3 else None)
        if group:
            group.add(load.pid)
        # Something is there before, and changes during the first scan.
        time.sleep(0.5)
        options = variant.options(load)
        if seed % 4 == 3:
            options = [option for option in options if option not in ("--pid", load.pid)]
        with follower.Follower(asof, directory, *options) as following:
            status = {}
            while load.poll() is None:
                time.sleep(0.2)
                status = following.status() or status
            if load.returncode != 0:
                return "", [f"the workload ended with {load.returncode}"]
            following.await_captured(time.time_ns())
        log = Log(log_path)
        with asof_process.Views(asof) as views:
            found, judged, fuzzy = ticks(asof, views, log, given, chance)
            found += [f"the newest view against the directory: {line}" for line in compare_trees.compare(directory, views.latest())]
        # Nothing was disturbed, so nothing may be a gap.
        found += [f"a gap: {gap['reason']}" for gap in asof.json("window")["gaps"]]
    follow = status.get("follow") or {}
    what = (f"{len(log.operations)} calls by {given.threads} writers, {variant}; {judged} cuts judged, {fuzzy} fuzzy; {follow.get('ticks')} ticks, {follow.get('fuzzyTicks')} fuzzy, "
            f"{follow.get('missedTicks')} missed; stall {follow.get('stallMedian')} µs p50, {follow.get('stall99')} µs p99")
    return what, found


def ticks(asof, views, log, given, chance):
    """Judges cuts, in ascending order."""
    numbers = follow_traces.shown(asof)
    chosen = sorted(chance.sample(numbers, min(given.cuts, len(numbers))))
    found, judge, judged, fuzzy = [], check_cut.Judge(log), 0, 0
    for lsn in chosen:
        try:
            folder = views.after(lsn)
            moment = asof_process.nanoseconds(os.getxattr(folder, "user.asof.time").decode())
            if os.getxattr(folder, "user.asof.exact") == b"false":
                fuzzy += 1
                if not given.strict:
                    continue
            verdict = judge.judge(folder, moment)
        except (OSError, processes.CommandFailed) as problem:
            found.append(f"lsn:{lsn}: cannot be read: {problem}")
            continue
        judged += 1
        found += [f"lsn:{lsn}: {violation}" for violation in verdict.violations[:10]]
    if len(chosen) >= 20 and fuzzy * 100 > given.fuzzy * len(chosen):
        found.append(f"{fuzzy} of {len(chosen)} cuts are fuzzy")
    return found, judged, fuzzy


def main():
    given, failed = parsed(), []
    missing = cgroups.available("freezer") if "cgroup" in given.ways else None
    if missing:
        print(f"SKIPPED: way cgroup: {missing}")
        given.ways = ",".join(way for way in given.ways.split(",") if way != "cgroup")
    if not follower.knows(given.asof, "--watch-by"):
        print("SKIPPED: the choice of watches: this asof has no --watch-by")
        given.watches = ""
    for seed in given.seeds:
        began = time.monotonic()
        try:
            what, found = one_seed(given, seed)
        except (processes.CommandFailed, OSError) as problem:
            what, found = "", [str(problem)]
        print("\n".join(found[:40]), end="\n" if found else "")
        print(f"seed {seed}: {what}: {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
        if found:
            failed.append(str(seed))
    print(f"{len(given.seeds)} seeds, {len(failed)} failed{': --seeds ' + ','.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
