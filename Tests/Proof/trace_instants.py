#!/usr/bin/env python3
"""A recorded trace through a `record` mount; then every mark and many other instants of it, looked at through a view.

  trace_instants.py garden attic [--asof BIN] [--instants 200] [--seed 1] [--base-between] [--encrypted] [--kill-at N] …
  trace_instants.py garden attic --every-variant        each with and without a base between, plain and encrypted

The tree at the time between the end of operation n and the begin of operation n + 1 must be, in names, kinds, modes, sizes,
link counts and every byte, the directory after operation n as the recording's own model (trace.py) has it. The model itself is
checked against the copies of the real directory at the marks. At the end the newest view must equal the backing directory in
everything. Prints one line, before it the differences; exit 1 when there are any.
"""
import argparse
import random
import sys
import time

import asof_process
import compare_trees
import processes
import trace_drive
import trace_model


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="garden, attic, or a path")
    asof_process.add_binary_option(parser)
    parser.add_argument("--instants", type=int, default=200, help="how many besides the marks (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base-between", action="store_true", help="take a base in the middle of the trace, while it goes on")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--every-variant", action="store_true", help="all four of --base-between and --encrypted, one after the other")
    parser.add_argument("--compression", help="as for init, e.g. zstd:3")
    parser.add_argument("--kill-at", type=int, action="append", default=[], metavar="N", help="kill -9 the recorder during operation N, start it again and go on (may be given several times)")
    parser.add_argument("--until", type=int, metavar="N", help="perform only the first N operations")
    parser.add_argument("--speed", type=float, default=0, help="times real time; 0 (default) is as fast as possible")
    parser.add_argument("--interval", default="1s", help="of the recorder (default 1s)")
    parser.add_argument("--segment-size", default="8MiB", help="of the recorder (default 8MiB)")
    parser.add_argument("--single", action="store_true", help="mount every instant by itself, not one directory of time")
    parser.add_argument("--log", metavar="FILE", help="write `n before after` in ns per operation")
    parser.add_argument("--deadline", type=int, default=1800, metavar="SECONDS", help="a run (default 1800)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory")
    return parser.parse_args()


class Run:
    """One run: record, then look."""

    def __init__(self, given, trace, workspace):
        self.given, self.workspace = given, workspace
        self.recorded = trace_model.RecordedTrace(trace)
        self.last = min(given.until or len(self.recorded.operations), len(self.recorded.operations))
        self.asof = asof_process.Asof(given.asof, workspace, given.encrypted, given.compression).init()
        self.backing, self.mountpoint = workspace.folder("backing"), workspace.folder("mount")
        self.recorder = None
        self.drive = trace_drive.Drive(self.recorded, self.mountpoint)
        self.refused, self.seconds, self.seconds_an_instant = 0, 0.0, 0.0

    def start(self):
        """Starts the recorder."""
        self.recorder = asof_process.Recorder(self.asof, self.backing, self.mountpoint, "--interval", self.given.interval, "--segment-size", self.given.segment_size)
        self.recorder.await_ready()

    def revive(self):
        """Starts it again after it was killed."""
        self.recorder.process.wait(30)
        self.asof.unmount(self.mountpoint)
        self.start()

    def record(self):
        """Drives the trace through the recorder."""
        base = []
        hooks = {}
        chance = random.Random(self.given.seed)
        for number in self.given.kill_at:
            hooks[number] = trace_drive.KillDuring(lambda: self.recorder, chance.choice((0, 50, 200, 1000)))
        if self.given.base_between:
            # Not in a thread of its own: a child must be started by the main thread, or it dies with the thread.
            def begin_base():
                base.append(processes.start([self.asof.binary, "backup", "create", "--type", "base"], env=self.asof.environment))
            hooks[max(1, self.last // 2)] = begin_base
        self.start()
        began = time.monotonic()
        try:
            self.drive.run(self.last, self.given.speed, hooks, self.revive if self.given.kill_at else None)
            self.seconds = time.monotonic() - began
            for process in base:
                if process.wait(120) != 0:
                    raise processes.CommandFailed(f"backup create --type base ended with {process.returncode}")
            code = self.recorder.stop()
            if code != 0:
                raise asof_process.RecorderDied(f"record ended with {code}: {self.recorder.complaints()}")
        finally:
            if not self.recorder.died():
                self.recorder.kill()
            processes.unmount(self.mountpoint)
        if self.given.log:
            with open(self.given.log, "w", encoding="utf-8") as log:
                log.writelines(f"{n} {self.drive.before[n]} {self.drive.after[n]}\n" for n in range(1, self.last + 1))

    def look(self):
        """Looks at every instant; returns how many were looked at, and the lines about differences."""
        found = []
        numbers = self.recorded.instants(self.given.instants, self.given.seed, self.last)
        chance = random.Random(self.given.seed)
        model, marks = trace_model.Model(self.recorded), set(self.recorded.marks())
        began = time.monotonic()
        with asof_process.Views(self.asof, self.given.single) as views:
            for number in numbers:
                model.advance(number)
                if number in marks:
                    found += [f"the model is wrong at mark {number}: {line}" for line in model.differences_from_mark()]
                moment = self.drive.moment_after(number, self.last, chance)
                around = f"after operation {number} ({self.recorded.operations[number - 1]['op']}), at {asof_process.rfc3339(moment)}"
                try:
                    lines = model.differences(views.at(moment))
                except (OSError, processes.CommandFailed) as problem:
                    if number + 1 in self.drive.interrupted:
                        self.refused += 1  # just before the kill: a moment at which nobody captured may be refused
                        continue
                    lines = [f"cannot be read: {problem}"]
                found += [f"{around}: {line}" for line in lines[:20]]
            self.seconds_an_instant = (time.monotonic() - began) / max(1, len(numbers))
            final = compare_trees.compare(self.backing, views.latest())
            found += [f"the newest view against the backing directory: {line}" for line in final]
            # The backing directory against the model: that the recorder did what it was told.
            found += [f"the backing directory: {line}" for line in model.advance(self.last).differences(self.backing)]
        return len(numbers), found


def one_run(given, trace):
    """One trace in one variant; prints what was found and returns how many differences."""
    with processes.Workspace("trace", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"trace_instants {trace}"):
        run = Run(given, trace, workspace)
        try:
            run.record()
            looked, found = run.look()
        except (asof_process.RecorderDied, processes.CommandFailed, OSError) as problem:
            looked, found = 0, [f"{type(problem).__name__}: {problem}"]
        print("\n".join(found[:200]), end="\n" if found else "")
        traits = [word for word, holds in (("encrypted", given.encrypted), ("base between", given.base_between), ("single mounts", given.single)) if holds]
        if given.kill_at:
            traits.append(f"killed during operations {run.drive.interrupted}, {run.refused} instants there refused")
        print(f"{run.recorded.name}: {run.last} operations in {run.seconds:.1f} s; {looked} instants ({run.seconds_an_instant:.2f} s each"
              f"{', ' + ', '.join(traits) if traits else ''}), seed {given.seed}: {len(found)} differences", flush=True)
    return len(found)


def main():
    given = parsed()
    total = 0
    for trace in given.traces:
        for encrypted in (False, True) if given.every_variant else (given.encrypted,):
            for base_between in (False, True) if given.every_variant else (given.base_between,):
                total += one_run(argparse.Namespace(**{**vars(given), "encrypted": encrypted, "base_between": base_between}), trace)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
