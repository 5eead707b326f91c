#!/usr/bin/env python3
"""Seeded workloads through a `record` mount; then many instants of each, judged by check_cut.

  workload_instants.py [--asof BIN] [--seeds 1-20] [--instants 40] [--seconds 4] [--threads 6] [--processes] …

For every seed: record, run the workload with concurrent writers, take a base in the middle (every other seed), stop, then judge
random and adversarial instants (at the very begin and end of renames, unlinks, truncations and shared appends) by the clock, and
random LSNs by what their tree alone says. The newest view must equal the backing directory in everything. Every third seed is
encrypted. A failing seed is printed; exit 1.
"""
import argparse
import random
import sys
import time

import asof_process
import check_cut
import compare_trees
import processes
from workload_log import Log


def seeds(text):
    """`1-20` or `3,7,9`."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--seeds", type=seeds, default=seeds("1-20"), metavar="1-20")
    parser.add_argument("--instants", type=int, default=40, help="a seed, by the clock (default 40); a tenth of it by LSN besides")
    parser.add_argument("--seconds", type=float, default=4, help="of workload a seed (default 4)")
    parser.add_argument("--threads", type=int, default=6, help="writers (default 6)")
    parser.add_argument("--processes", action="store_true", help="writers are processes (default: in every fourth seed)")
    parser.add_argument("--encrypted", action="store_true", help="always (default: every third seed)")
    parser.add_argument("--base-between", action="store_true", help="always (default: every other seed)")
    parser.add_argument("--interval", default="500ms", help="of the recorder")
    parser.add_argument("--segment-size", default="4MiB", help="of the recorder")
    parser.add_argument("--single", action="store_true", help="mount every instant by itself")
    parser.add_argument("--deadline", type=int, default=300, metavar="SECONDS", help="a seed (default 300)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


def moments(log, count, chance):
    """`count` ascending moments: half of them anywhere, half at the edges of calls that move names or sizes."""
    first, last = log.operations[0]["b"], max(o["e"] for o in log.operations if o["e"])
    hard = {}
    for operation in log.operations:
        kind = "shared" if operation.get("path") == "/shared/all.wal" else operation["op"]
        if kind in ("rename", "unlink", "truncate", "rmdir", "link", "shared", "setxattr", "fallocate") and operation["e"]:
            hard.setdefault(kind, []).append(operation)
    chosen = []
    while len(chosen) < count:
        if len(chosen) % 2 and hard:
            operation = chance.choice(hard[chance.choice(sorted(hard))])
            chosen.append(chance.choice((operation["b"] - 1, operation["b"], operation["e"], operation["e"] + 1, (operation["b"] + operation["e"]) // 2)))
        else:
            chosen.append(chance.randint(first, last + 1))
    return sorted(moment for moment in chosen if moment >= first)


def judge_moments(views, log, chosen):
    """Judges the views at some moments; returns the lines about violations."""
    found, judge = [], check_cut.Judge(log)
    for moment in chosen:
        where = f"at {asof_process.rfc3339(moment)}"
        try:
            verdict = judge.judge(views.at(moment), moment)
        except (OSError, processes.CommandFailed) as problem:
            found.append(f"{where}: cannot be read: {problem}")
            continue
        found += [f"{where}: {violation}" for violation in verdict.violations[:20]]
    return found


def judge_lsns(views, log, count, chance):
    """Judges the views after random transactions, by their trees alone."""
    found, last = [], views.lsn(views.latest())
    for lsn in sorted(chance.randint(max(1, last // 50), last) for _ in range(count)):
        try:
            verdict = check_cut.Judge(log).judge(views.after(lsn))
        except (OSError, processes.CommandFailed) as problem:
            found.append(f"lsn:{lsn}: cannot be read: {problem}")
            continue
        found += [f"lsn:{lsn}: {violation}" for violation in verdict.violations[:20]]
    return found


def one_seed(given, seed):
    """Everything for one seed; returns (what it was, the lines about violations)."""
    chance = random.Random(seed)
    encrypted, based, forked = given.encrypted or seed % 3 == 0, given.base_between or seed % 2 == 0, given.processes or seed % 4 == 1
    with processes.Workspace(f"workload-{seed}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"seed {seed}"):
        asof = asof_process.Asof(given.asof, workspace, encrypted).init()
        backing, mountpoint, log_path = workspace.folder("backing"), workspace.folder("mount"), workspace.path / "workload.log"
        with asof_process.Recorder(asof, backing, mountpoint, "--interval", given.interval, "--segment-size", given.segment_size):
            load = start_workload(mountpoint, log_path, seed, given.seconds, given.threads, "--processes" if forked else None)
            if based:
                time.sleep(given.seconds / 2)
                asof.run("backup", "create", "--type", "base")
            if load.wait(given.seconds + 60) != 0:
                return "", [f"the workload ended with {load.returncode}"]
        log = Log(log_path)
        found = [f"the backing directory: {v}" for v in check_cut.Judge(log).judge(backing, time.time_ns()).violations[:20]]
        with asof_process.Views(asof, given.single) as views:
            found += judge_moments(views, log, moments(log, given.instants, chance))
            found += judge_lsns(views, log, given.instants // 10, chance) if given.instants >= 10 else []
            found += [f"the newest view against the backing directory: {line}" for line in compare_trees.compare(backing, views.latest())]
        traits = [word for word, holds in (("encrypted", encrypted), ("base between", based), ("processes", forked)) if holds]
        return f"{len(log.operations)} calls by {log.writers} writers{', ' + ', '.join(traits) if traits else ''}", found


def start_workload(folder, log_path, seed, seconds, threads, *options):
    """Starts workload.py on a folder."""
    return processes.start([sys.executable, asof_process.REPOSITORY_ROOT / "Tests/Proof/workload.py", folder, "--seed", seed, "--seconds", seconds,
                            "--threads", threads, "--log", log_path, *(o for o in options if o)])


def main():
    given, failed = parsed(), []
    for seed in given.seeds:
        began = time.monotonic()
        try:
            what, found = one_seed(given, seed)
        except (asof_process.RecorderDied, processes.CommandFailed) as problem:
            what, found = "", [str(problem)]
        print("\n".join(found[:100]), end="\n" if found else "")
        print(f"seed {seed}: {what}; {given.instants} instants: {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
        if found:
            failed.append(seed)
    print(f"{len(given.seeds)} seeds, {len(failed)} failed" + (f": {','.join(map(str, failed))} (again: --seeds {','.join(map(str, failed))})" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
