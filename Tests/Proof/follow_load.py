#!/usr/bin/env python3
"""Curves of the stall that `asof follow` makes under loads that are hard for it, each judged for exactness besides.

  follow_load.py [--asof BIN] [--loads all|NAME,…] [--steps few|all] [--seed 1] [--cuts 10] [--way ptrace]

Loads and their steps:
  fsyncs      milliseconds that each write to its disk takes, which the server waits for inside of fsync (delayed_disk.py)
  growing     MiB of one `.tmp` file that grows as fast as it can
  dirty       files that change between two ticks
  threads     threads of the server, most of them idle
  processor   percent of one processor that the follower may use

Prints a line a step: the parameter, stalls p50 / p99 / max in µs, and the server's own longest gap. Exit 1 on a wrong cut, and where the
server stood still for more than a second and some slack.
"""
import argparse
import os
import random
import shutil
import sys
import time

import asof_process
import cgroups
import delayed_disk
import follow_traces
import follower
import made_trace
import performing
import processes
from performed_cut import PerformedJudge

#: What the server may stand still at most, in ns; the slack is that of a machine of two processors under load.
LIMIT, SLACK = 1_000_000_000, 300_000_000

STEPS = {"fsyncs": {"few": (0, 100), "all": (0, 10, 100, 500)},
         "growing": {"few": (256, 2048), "all": (256, 1024, 2048, 10_240)},
         # The performer keeps all of them open, and a process may have 20,000 on some machines; Scripts/bench has a row of that many.
         "dirty": {"few": (200, 5000), "all": (200, 1000, 5000, 19_000)},
         "threads": {"few": (10, 500), "all": (10, 100, 500, 1000)},
         "processor": {"few": (20,), "all": (100, 50, 20, 10)}}


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--loads", default="all")
    parser.add_argument("--steps", choices=("few", "all"), default="few")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3, help="of load a step, where it has no end of its own (default 3)")
    parser.add_argument("--cuts", type=int, default=10, help="to judge a step (default 10)")
    parser.add_argument("--way", default="ptrace")
    parser.add_argument("--tick", default="50ms")
    parser.add_argument("--deadline", type=int, default=600, metavar="SECONDS", help="a step (default 600)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Load:
    """What the server does at one step of a load."""

    def __init__(self, given, name, step, data):
        self.name, self.step, self.rate, self.idle, self.share = name, step, 3000, 0, None
        #: Where the server rests for some ticks.
        self.stages = []
        seconds = given.seconds
        if name == "growing":
            # Few, large files would be too much for the judge: it looks at the end of them only through the newest view.
            self.made, self.rate = made_trace.MadeTrace(data, 0, given.seed), 0
            self._grow(step)
        elif name == "dirty":
            self.made, self.rate = made_trace.MadeTrace(data, 0, given.seed), 0
            self._dirty(step)
        else:
            fsyncs = 0.2 if name == "fsyncs" else 0.02
            self.made = made_trace.MadeTrace(data, int(3000 * seconds), given.seed, fsyncs=fsyncs)
            self.idle = step if name == "threads" else 0
            self.share = step / 100 if name == "processor" else None

    def _grow(self, size):
        made, path = self.made, "/shard0/segment-1_2.l1.s0.db.tmp"
        made.add("mkdir", "/shard0", mode=0o755)
        made.create("/shard0/segment-9.wal")
        made.create(path)
        for i in range(size):
            made.append(path, 1 << 20)
            made.append("/shard0/segment-9.wal", 300)
        made.write(path, 0, 16)
        made.fsync(path)
        made.rename(path, "/shard0/segment-2.l1.s0.db")

    def _dirty(self, count):
        made = self.made
        for folder in range(max(1, count // 200)):
            made.add("mkdir", f"/t{folder}", mode=0o755)
        paths = [f"/t{i % max(1, count // 200)}/segment-{i}.wal" for i in range(count)]
        for path in paths:
            made.create(path)
        self.stages.append(len(made.operations))
        for _ in range(4):
            for path in paths:
                made.append(path, 120)
            self.stages.append(len(made.operations))


def longest_fsync(operations, notes):
    """The longest fsync so far, one in flight included, in ns."""
    now = time.time_ns()
    return max((((notes.ended[o["n"]] or now) - notes.begun[o["n"]]) for o in operations if o["op"] == "fsync" and notes.begun[o["n"]]), default=0)


def one_step(given, name, step):
    """One load at one step; returns (a line of the curve, the lines about violations)."""
    chance = random.Random(given.seed)
    with processes.Workspace(f"load-{name}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, name), follow_traces.Group(given.way) as group:
        load = Load(given, name, step, workspace.path / "data.bin")
        disk = delayed_disk.made(workspace, step) if name == "fsyncs" else None
        try:
            directory = disk.folder if disk else workspace.folder("data")
            asof = asof_process.Asof(given.asof, workspace).init()
            plan = performing.Plan(load.made.operations, 8, given.seed, reach=4000 if name == "dirty" else 400)
            limited = cgroups.Group("cpu", "follower") if load.share else None
            if limited:
                limited.limit_processor(load.share)
            try:
                with performing.Performer(workspace, plan, load.made.data, directory, load.rate, idle=load.idle, group=group) as server:
                    options = ["--tick", given.tick, "--stop-by", given.way, "--interval", "1s", "--pid", server.process.pid]
                    with follower.Follower(asof, directory, *options, group=limited) as following:
                        if disk:
                            disk.admit(server.process.pid)
                            disk.slow()
                        began = time.monotonic()
                        for stage in load.stages:
                            server.go(stage)
                            server.await_done(stage)
                            time.sleep(0.3)
                        server.go()
                        if disk:
                            time.sleep(given.seconds)
                            longest = longest_fsync(load.made.operations, server.notes())
                            disk.what += f", the longest fsync took {longest / 1e6:.0f} ms"
                            disk.fast()
                        server.await_done(seconds=given.deadline)
                        seconds = time.monotonic() - began
                        following.await_captured(time.time_ns(), 120)
                        status = following.status()
                        server.end()
                    notes = server.notes()
            finally:
                if limited:
                    limited.__exit__()
            found, judged, fuzzy = [], 0, 0
            if name != "growing":
                judge = PerformedJudge(load.made.operations, load.made.bytes, notes)
                counted = argparse.Namespace(cuts=given.cuts, strict=False, fuzzy=100)
                found, judged, fuzzy, _ = follow_traces.judge_cuts(asof, judge, counted, chance)
            found += follow_traces.final_differences(asof, directory)
            if notes.longest_gap() > LIMIT + SLACK:
                found.append(f"the server stood still for {notes.longest_gap() / 1e6:.0f} ms")
        finally:
            if disk:
                disk.close()
    follow = status.get("follow") or {}
    line = (f"{name} {step:>6}{' (' + disk.what + ')' if disk else ''}: stall {follow.get('stallMedian')} µs p50, {follow.get('stall99')} µs p99, {follow.get('stallMax')} µs max; "
            f"longest gap {notes.longest_gap() / 1e6:.0f} ms; {follow.get('stops')} stops, {follow.get('missedTicks')} missed, {follow.get('fuzzyTicks')} fuzzy, up to {follow.get('changedFiles')} files; "
            f"{len(load.made.operations)} operations in {seconds:.1f} s; {judged} cuts judged, {fuzzy} fuzzy")
    return line, found


def main():
    given, failed = parsed(), []
    for name in STEPS if given.loads == "all" else given.loads.split(","):
        for step in STEPS[name][given.steps]:
            needed = 3 * (step << 20) + (4 << 30) if name == "growing" else 2 << 30
            if shutil.disk_usage(os.environ.get("TMPDIR", "/tmp")).free < needed:
                print(f"SKIPPED: {name} {step}: less than {needed >> 30} GiB free")
                continue
            if name == "processor" and cgroups.available("cpu"):
                print(f"SKIPPED: {name}: {cgroups.available('cpu')}")
                break
            try:
                line, found = one_step(given, name, step)
            except delayed_disk.Unavailable as reason:
                print(f"SKIPPED: {name} {step}: {reason}")
                continue
            except (processes.CommandFailed, OSError) as problem:
                line, found = f"{name} {step}", [f"{type(problem).__name__}: {problem}"]
            print("\n".join(f"{name} {step}: {row}" for row in found[:10]), end="\n" if found else "")
            print(f"{line}: {len(found)} violations", flush=True)
            if found:
                failed.append(f"{name} {step}")
    print(f"seed {given.seed}, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
