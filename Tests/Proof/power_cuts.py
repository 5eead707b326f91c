#!/usr/bin/env python3
"""Power cuts: everything on a file system of its own that goes down without flushing anything, at a random moment under load.

  power_cuts.py [--asof BIN] [--rounds 40] [--seed 1] [--encrypted] …

Every round makes an ext4 image, mounts it by a loop device and puts the backing directory, asof's state and the repository on it.
record starts, writers work; then asof is killed and the file system is shut down (FS_IOC_SHUTDOWN without flushing its log), which
loses what a power cut loses. It is mounted again, the spool is told of another boot, and
  - record must start on it and end cleanly;
  - the newest view equals the backing directory in everything;
  - every change that had returned before the begin of the last fsync that returned is there: random moments up to the last of them
    can be read, lie in no gap, and are states of the workload (check_cut).
In every third round nothing is fsynced: only the newest view is promised then. Where loop devices cannot be had: exit code 4 (`--rounds 0` only asks). A failing round is printed with its seed; exit 1.
"""
import argparse
import fcntl
import json
import os
import random
import struct
import subprocess
import sys
import time

import asof_process
import compare_trees
import processes
from crashes import Scene, await_calls
from workload_instants import judge_moments, start_workload
from workload_log import Log

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2, help="of load at most before the cut (default 2)")
    parser.add_argument("--threads", type=int, default=4, help="writers (default 4)")
    parser.add_argument("--instants", type=int, default=6, help="moments to judge a round (default 6)")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--deadline", type=int, default=120, metavar="SECONDS", help="a round (default 120)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Disk:
    """An ext4 image on a loop device."""

    def __init__(self, workspace):
        self.image, self.path = workspace.path / "image", workspace.folder("disk")
        with open(self.image, "wb") as image:
            image.truncate(1 << 30)
        processes.run(["mkfs.ext4", "-q", self.image])

    def attach(self):
        """Mounts it."""
        processes.run(["mount", "-o", "loop", self.image, self.path])

    def cut(self):
        """Loses everything that is not on the medium."""
        folder = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(folder)

    def detach(self):
        """Unmounts it."""
        processes.unmount(self.path)


class Place:
    """A folder of the disk that stands for a workspace."""

    def __init__(self, path):
        self.path = path

    def folder(self, name):
        """A folder in it."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def change_boot(state):
    """Gives the last capture the identity of another boot: a power cut ends a boot, and here the machine goes on."""
    for path in state.rglob("life.json"):
        life = json.loads(path.read_text())
        life["holder"]["boot"] = "00000000-0000-0000-0000-000000000000"
        path.write_text(json.dumps(life))


def one(given, number, workspace):
    """One round. Returns the lines about what does not hold, and a few words."""
    chance = random.Random(f"{given.seed} {number}")
    disk = Disk(workspace)
    disk.attach()
    place = Place(disk.path)
    asof = asof_process.Asof(given.asof, place, given.encrypted).init()
    backing, mountpoint, log_path = place.folder("backing"), workspace.folder("mount"), workspace.path / "workload.log"
    options = ("--interval", chance.choice(["200ms", "1s", "10s"]), "--segment-size", chance.choice(["512KiB", "8MiB", "64MiB"]))
    subprocess.run(["sync"], check=True)

    recorder = asof_process.Recorder(asof, backing, mountpoint, *options).await_ready()
    load = start_workload(mountpoint, log_path, chance.randrange(1 << 30), given.seconds + 10, given.threads, "--no-fsync" if number % 3 == 0 else None)
    await_calls(load, log_path)
    time.sleep(chance.random() * given.seconds)
    recorder.kill()
    disk.cut()
    Scene.settled(load)
    processes.unmount(mountpoint)
    disk.detach()

    disk.attach()
    change_boot(asof.state)
    with asof_process.Recorder(asof, backing, mountpoint, *options):
        pass
    log = Log(log_path)
    promised = [o["b"] for o in log.operations if o["op"] == "fsync" and o["e"]]
    found, moments = [], []
    if promised:
        # A change that had returned when that fsync began was logged between its own begin and end.
        first, last = log.operations[0]["b"], max(o["b"] for o in log.operations if o["op"] != "fsync" and o["e"] and o["e"] <= max(promised))
        settled = asof_process.nanoseconds(asof.json("window")["from"]["time"])
        moments = [last] + [chance.randint(max(first, settled), last) for _ in range(given.instants)] if last > settled else []
    with asof_process.Views(asof) as views:
        found += [f"the newest view against the backing directory: {line}" for line in compare_trees.compare(backing, views.latest())[:20]]
        found += judge_moments(views, log, sorted(moments))
    disk.detach()
    return found, f"{len(log.operations)} calls, {len(promised)} fsyncs, {len(moments)} moments"


def main():
    given = parsed()
    try:
        with processes.Workspace("power") as workspace:
            disk = Disk(workspace)
            disk.attach()
            disk.cut()
            disk.detach()
    except (processes.CommandFailed, OSError) as problem:
        print(f"a loop device cannot be had or shut down here: {problem}")
        sys.exit(4)
    failed = []
    for number in range(1, given.rounds + 1):
        began = time.monotonic()
        with processes.Workspace("power", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"round {number}"):
            try:
                found, words = one(given, number, workspace)
            except (asof_process.RecorderDied, processes.CommandFailed, OSError) as problem:
                found, words = [str(problem)], "?"
        print("\n".join(found), end="\n" if found else "")
        print(f"power cut {number} (seed {given.seed}): {words}; {len(found)} violations ({time.monotonic() - began:.1f} s)", flush=True)
        if found:
            failed.append(str(number))
    print(f"{given.rounds} power cuts, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
