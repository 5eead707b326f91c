#!/usr/bin/env python3
"""What `asof follow` costs beside many quiet files: the first scan, ticks with some files changing, idling, the catch-up after a restart.

  follow_scale.py [--asof BIN] [--files 2000000] [--directories 100000] [--changing 500] [--seconds 10] [--watch fanotify]

Prints figures; the newest view is compared in full up to --compare files, above that in a sample of directories. Exit 1 when it differs.
"""
import argparse
import os
import random
import shutil
import sys
import time

import asof_process
import compare_trees
import follower
import made_trace
import performing
import processes


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--files", type=int, default=2_000_000)
    parser.add_argument("--directories", type=int, help="(default: one for 20 files)")
    parser.add_argument("--changing", type=int, default=500, help="files that change all the time (default 500)")
    parser.add_argument("--seconds", type=float, default=10, help="of changes, and of idling (default 10)")
    parser.add_argument("--tick", default="100ms")
    parser.add_argument("--watch", help="fanotify or inotify")
    parser.add_argument("--compare", type=int, default=50_000, metavar="N", help="compare everything up to N files (default 50000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline", type=int, default=3600, metavar="SECONDS")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Cost:
    """The processor time and the memory of a process, children aside."""

    def __init__(self, pid):
        self.pid, self._tick = pid, os.sysconf("SC_CLK_TCK")

    def seconds(self):
        """Of processor so far; from schedstat where that is there, which is finer."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="utf-8") as stat:
                    total += int(stat.read().split()[0])
            except OSError:
                pass
        return total / 1e9

    def memory(self):
        """Resident, in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def changes(path, count, seconds, seed):
    """Appends to `count` files, in turn."""
    made = made_trace.MadeTrace(path, 0, seed)
    made.add("mkdir", "/changing", mode=0o755)
    paths = [f"/changing/segment-{i}.wal" for i in range(count)]
    for name in paths:
        made.create(name)
    begin = len(made.operations)
    for i in range(int(seconds * 10 * count)):
        made.append(paths[i % count], 100)
    return made, begin


def sampled(directory, latest, chance):
    """A sample of directories of both trees, compared."""
    found = []
    classes = sorted(name for name in os.listdir(directory) if name.startswith("class"))
    if sorted(os.listdir(latest)) != sorted(os.listdir(directory)):
        found.append("the names of the root differ")
    tenants = [f"{name}/{tenant}" for name in classes for tenant in sorted(os.listdir(f"{directory}/{name}"))]
    chosen, began, files = chance.sample(tenants, min(60, len(tenants))), time.monotonic(), 0
    for name in chosen:
        found += [f"{name}: {line}" for line in compare_trees.compare(f"{directory}/{name}", f"{latest}/{name}")[:5]]
        files += len(os.listdir(f"{directory}/{name}"))
    print(f"scale: {files} files of {len(chosen)} directories compared with the view in {time.monotonic() - began:.1f} s", flush=True)
    return found + compare_trees.compare(f"{directory}/changing", f"{latest}/changing")[:5]


def run(given, workspace):
    """All of it; returns the lines about differences."""
    directories = given.directories or max(1, given.files // 20)
    directory = workspace.folder("data")
    began = time.monotonic()
    processes.run([performing.program(workspace.path, "many-files", "many-files"), directory, directories, given.files], timeout=given.deadline)
    print(f"scale: {given.files} files in {directories} directories made in {time.monotonic() - began:.1f} s", flush=True)
    asof = asof_process.Asof(given.asof, workspace).init()
    made, begin = changes(workspace.path / "data.bin", given.changing, given.seconds, given.seed)
    plan = performing.Plan(made.operations, 4, given.seed)
    with performing.Performer(workspace, plan, made.data, directory, given.changing * 10) as server:
        server.go(begin)
        server.await_done(begin)
        options = ["--tick", given.tick, "--interval", "2s", "--pid", server.process.pid, *(("--watch-by", given.watch) if given.watch else ())]
        following = follower.Follower(asof, directory, *options)
        with following:
            began = time.monotonic()
            scan(following, began, given.deadline, "first scan")
            cost = Cost(following.process.pid)
            print(f"scale: resident {cost.memory() / 1e6:.0f} MB ({(cost.memory() - 45_000_000) / given.files:.0f} bytes a file above the 45 MB of an empty directory)", flush=True)
            idle(cost, following, given.seconds)
            before, ticks = cost.seconds(), (following.status().get("follow") or {}).get("ticks", 0)
            began = time.monotonic()
            server.go()
            server.await_done(seconds=given.deadline)
            following.await_captured(time.time_ns(), 120)
            status = following.status()["follow"]
            count, seconds = status["ticks"] - ticks, time.monotonic() - began
            print(f"scale: {given.changing} files changing: {count} ticks in {seconds:.1f} s, {(cost.seconds() - before) * 1e3 / max(1, count):.1f} ms of processor a tick; "
                  f"stall {status['stallMedian']} µs p50, {status['stall99']} µs p99, {status.get('stallMax')} µs max", flush=True)
            print(f"scale: resident {cost.memory() / 1e6:.0f} MB after that", flush=True)
        following = follower.Follower(asof, directory, *options)
        with following:
            scan(following, time.monotonic(), given.deadline, "catch-up after a restart")
            following.await_captured(time.time_ns(), 120)
        server.end()
    with asof_process.Views(asof) as views:
        if given.files <= given.compare:
            began = time.monotonic()
            found = compare_trees.compare(directory, views.latest())
            print(f"scale: everything compared with the view in {time.monotonic() - began:.1f} s", flush=True)
            return found
        return sampled(directory, views.latest(), random.Random(given.seed))


def scan(following, began, most, what):
    """Waits for the end of a comparison."""
    begun = time.monotonic()
    cost = Cost(following.process.pid)
    while (following.status().get("comparison") or "running") == "running":
        if time.monotonic() - begun > most or following.process.poll() is not None:
            raise processes.CommandFailed(f"the {what} does not end: {following.complaints()}")
        time.sleep(0.05)
    print(f"scale: {what} {time.monotonic() - began:.1f} s since it was ready, {cost.seconds():.1f} s of processor", flush=True)


def idle(cost, following, seconds):
    """Nothing changes."""
    before, transactions = cost.seconds(), following.status().get("lastTransaction")
    time.sleep(seconds)
    print(f"scale: idle {(cost.seconds() - before) / seconds * 100:.2f} % of a processor, {following.status().get('lastTransaction') - transactions} transactions", flush=True)


def main():
    given = parsed()
    free = shutil.disk_usage(os.environ.get("TMPDIR", "/tmp"))
    if free.free < given.files * 5000 + (2 << 30):
        print(f"SKIPPED: {given.files} files need more than {free.free >> 30} GiB")
        sys.exit(0)
    with processes.Workspace("scale", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, "scale"):
        try:
            found = run(given, workspace)
        except (processes.CommandFailed, OSError, KeyError) as problem:
            found = [f"{type(problem).__name__}: {problem}"]
    print("\n".join(found[:40]), end="\n" if found else "")
    print(f"scale: {len(found)} violations")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
