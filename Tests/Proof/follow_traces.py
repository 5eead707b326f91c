#!/usr/bin/env python3
"""Recorded traces, performed by a separate server of many threads on a plain directory that `asof follow` watches; every cut judged.

  follow_traces.py garden attic [--asof BIN] [--seeds 1-6] [--cuts 60] [--until N] [--ticks 10ms,…] [--ways …] [--watches …]

The server (performing.py) makes the trace's operations as fast as their dependencies allow, some 30,000 a second, or at a slower
pace that the seed chooses. The seed also chooses threads, tick, way of stopping, watching, how the server is found, and where the
follower comes in. Judged (performed_cut.py): what had ended before a cut's moment is in it, nothing that began after it, of each
thread's one operation in flight a prefix. Cuts marked fuzzy are counted, and judged only with --strict; more than --fuzzy percent
of them are a violation by themselves. The newest view must equal the directory in everything. Prints a line a seed; exit 1.
"""
import argparse
import os
import random
import sys
import time

import asof_process
import cgroups
import compare_trees
import follower
import performing
import processes
import trace_model
from performed_cut import PerformedJudge
from workload_instants import seeds


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="garden, attic, or a path")
    asof_process.add_binary_option(parser)
    parser.add_argument("--seeds", type=seeds, default=seeds("1-6"), metavar="1-6", help="of each trace")
    parser.add_argument("--cuts", type=int, default=60, help="to judge of each seed (default 60)")
    parser.add_argument("--until", type=int, metavar="N", help="perform only the first N operations")
    parser.add_argument("--ticks", default="10ms,20ms,50ms,100ms,200ms", help="one of them a seed")
    parser.add_argument("--ways", default="ptrace,signal,cgroup", help="of stopping, taken in turn (default %(default)s)")
    parser.add_argument("--watches", default="fanotify,inotify", help="taken in turn (default %(default)s)")
    parser.add_argument("--rates", default="0,5000,15000", help="operations a second at most, one of them a seed (0: no limit)")
    parser.add_argument("--strict", action="store_true", help="judge fuzzy cuts too")
    parser.add_argument("--fuzzy", type=float, default=5, metavar="PERCENT", help="of the cuts at most (default 5)")
    parser.add_argument("--deadline", type=int, default=600, metavar="SECONDS", help="a seed (default 600)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Choice:
    """What a seed chooses."""

    def __init__(self, given, seed, watching):
        chance = random.Random(f"choice {seed}")
        ways, watches = given.ways.split(","), given.watches.split(",") if watching else [None]
        self.way, self.watch = ways[seed % len(ways)], watches[seed // len(ways) % len(watches)]
        self.tick, self.rate = chance.choice(given.ticks.split(",")), int(chance.choice(given.rates.split(",")))
        self.threads, self.encrypted = chance.choice((2, 3, 5, 8, 12)), seed % 3 == 0
        self.found_by, self.head_start = chance.choice(("--pid", "--exe", None)), chance.choice((0, 300, 3000))

    def options(self, performer):
        """Of the follower."""
        found_by = {"--pid": ("--pid", performer.process.pid), "--exe": ("--exe", performer.program), None: ()}[self.found_by]
        return ["--tick", self.tick, "--stop-by", self.way, "--interval", "1s", *found_by, *(("--watch-by", self.watch) if self.watch else ())]

    def __str__(self):
        return f"{self.threads} threads, {self.way}, {self.watch or 'any watch'}, tick {self.tick}, {self.found_by or 'found by itself'}{', encrypted' if self.encrypted else ''}"


class Group:
    """A cgroup for the server where the way of stopping needs one; otherwise nothing."""

    def __init__(self, way):
        self._group = cgroups.Group("freezer", "followed") if way == "cgroup" else None

    def __enter__(self):
        return self._group

    def __exit__(self, *problem):
        if self._group:
            self._group.__exit__(*problem)


def shown(asof):
    """The transactions that can be looked at: those in no gap."""
    window = asof.json("window")
    return [lsn for lsn in range(window["from"]["lsn"], window["to"]["lsn"] + 1)
            if not any(gap["after"]["lsn"] < lsn < gap["before"]["lsn"] for gap in window["gaps"])]


def judge_cuts(asof, judge, given, chance):
    """Judges a sample of the cuts outside of declared gaps. Returns (the lines found, how many were judged, how many of the sample
    were fuzzy, of how many)."""
    numbers = shown(asof)
    chosen = sorted(chance.sample(numbers, min(given.cuts, len(numbers))))
    found, judged, fuzzy = [], 0, 0
    with asof_process.Views(asof) as views:
        for lsn in chosen:
            try:
                folder = views.after(lsn)
                moment = asof_process.nanoseconds(os.getxattr(folder, "user.asof.time").decode())
                is_fuzzy = os.getxattr(folder, "user.asof.exact") == b"false"
                fuzzy += is_fuzzy
                if is_fuzzy and not given.strict:
                    continue
                have = compare_trees.scan(folder, attributes=False)
                lines, in_flight, there = judge.judge(have, moment)
            except (OSError, processes.CommandFailed) as problem:
                found.append(f"lsn:{lsn}: cannot be read: {problem}")
                continue
            judged += 1
            found += [f"lsn:{lsn} at {asof_process.rfc3339(moment)} ({there} of {in_flight} in flight there{', fuzzy' if is_fuzzy else ''}): {line}" for line in lines[:8]]
    if len(chosen) >= 20 and fuzzy * 100 > given.fuzzy * len(chosen):
        found.append(f"{fuzzy} of {len(chosen)} cuts are fuzzy")
    return found, judged, fuzzy, len(numbers)


def final_differences(asof, directory):
    """The newest view against the directory, in everything."""
    with asof_process.Views(asof) as views:
        return [f"the newest view against the directory: {line}" for line in compare_trees.compare(directory, views.latest())]


def one_seed(given, recorded, seed):
    """Everything for one seed; returns (what it was, the lines about violations)."""
    choice, chance = Choice(given, seed, follower.knows(given.asof, "--watch-by")), random.Random(seed)
    operations = recorded.operations[:given.until]
    with processes.Workspace(f"follow-{recorded.name}-{seed}", given.keep) as workspace, \
            processes.Deadline(given.deadline, workspace.path, f"seed {seed}"), Group(choice.way) as group:
        asof, directory = asof_process.Asof(given.asof, workspace, choice.encrypted).init(), workspace.folder("data")
        plan = performing.Plan(operations, choice.threads, seed)
        with performing.Performer(workspace, plan, recorded.trace.data.name, directory, choice.rate, group=group) as server:
            if choice.head_start:
                server.go(choice.head_start)
                server.await_done(choice.head_start)
            with follower.Follower(asof, directory, *choice.options(server)) as following:
                time.sleep(chance.random() * 0.3)
                began = time.monotonic()
                server.go()
                status = {}
                while not server.is_done():
                    time.sleep(0.1)
                    status = following.status() or status
                    if server.process.poll() is not None or following.process.poll() is not None:
                        raise processes.CommandFailed(f"the server ended with {server.process.poll()}, follow with {following.process.poll()}: {following.complaints()}")
                seconds = time.monotonic() - began
                following.await_captured(time.time_ns())
                status = following.status() or status
                server.end()
            notes = server.notes()
        found, judged, fuzzy, cuts = judge_cuts(asof, PerformedJudge(operations, recorded.trace.bytes, notes), given, chance)
        found += final_differences(asof, directory)
        # Nothing was disturbed, so nothing may be a gap.
        found += [f"a gap: {gap['reason']}" for gap in asof.json("window")["gaps"]]
    follow = status.get("follow") or {}
    what = (f"{len(operations)} operations, {len(operations) / seconds:.0f} a second, {choice}; {judged} of {cuts} cuts judged, {fuzzy} fuzzy; {follow.get('ticks')} ticks, "
            f"{follow.get('missedTicks')} missed; stall {follow.get('stallMedian')} µs p50, {follow.get('stall99')} µs p99; longest gap of the heartbeat {notes.longest_gap() / 1e6:.0f} ms")
    return what, found


def main():
    given, failed, looked, count = parsed(), [], 0, 0
    missing = cgroups.available("freezer") if "cgroup" in given.ways else None
    if missing:
        print(f"SKIPPED: way cgroup: {missing}")
        given.ways = ",".join(way for way in given.ways.split(",") if way != "cgroup")
    if not follower.knows(given.asof, "--watch-by"):
        print("SKIPPED: the choice of watches: this asof has no --watch-by")
    for trace in given.traces:
        recorded = trace_model.RecordedTrace(trace)
        for seed in given.seeds:
            began = time.monotonic()
            try:
                what, found = one_seed(given, recorded, seed)
            except (processes.CommandFailed, OSError) as problem:
                what, found = "", [f"{type(problem).__name__}: {problem}"]
            print("\n".join(found[:40]), end="\n" if found else "")
            print(f"{recorded.name} seed {seed}: {what}: {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
            if found:
                failed.append(f"{recorded.name} --seeds {seed}")
            count += 1
    print(f"{count} seeds, {len(failed)} failed{': ' + '; '.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
