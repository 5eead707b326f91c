#!/usr/bin/env python3
"""Crashes of a mount that can be changed: at every crash point of the overlay, by kill -9, and by power cuts.

  overlay_crashes.py [--asof BIN] [--points all|NAMES|none] [--occurrences 1,3] [--random 20] [--power 20] [--seed 1] [--calls 400]

Each round makes a random directory, captures it, mounts it with `--rw --overlay` in the foreground, and one writer makes random calls until asof
dies. Then the same command mounts it again, and
  - after a kill: the directory is what the model says after all calls that returned, or after the one more that was in flight (of a
    write of several requests, after some of them);
  - after a power cut (everything on an ext4 image that is shut down without a flush): it is what the model says after some number of the calls,
    not fewer than had returned when the last fsync that returned began; bytes may be those of later writes that no fsync followed;
  - what no call spoke of has the inode number that it had;
  - it can be changed again, twice more (with crashes in the starts, too), and unmounted in order.
Where loop devices cannot be had, power cuts are skipped (said). A point that nothing reaches, or a violation: exit 1.
"""
import argparse
import errno
import os
import random
import subprocess
import sys
import time

import asof_process
import file_model
import processes
from power_cuts import Disk, Place

POINTS = ("overlay.commit.before", "overlay.commit.after", "overlay.write.before", "overlay.write.part", "overlay.write.after",
          "overlay.checkpoint.before", "overlay.checkpoint.data", "overlay.checkpoint.table", "overlay.checkpoint.after", "journal.intent.before",
          "journal.intent.reserved", "journal.intent.after", "journal.commit.before", "journal.commit.after", "journal.sync.before",
          "journal.sync.after", "durable.replace.written", "durable.replace.renamed")
#: What a call on a mount whose server has died ends with.
GONE = {errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENODEV}


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--points", default="all", help="all (default), none, or names")
    parser.add_argument("--occurrences", default="1,3")
    parser.add_argument("--random", type=int, default=20, metavar="N")
    parser.add_argument("--power", type=int, default=20, metavar="N")
    parser.add_argument("--calls", type=int, default=400, help="before a round ends by itself (default 400)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline", type=int, default=120, metavar="SECONDS", help="a round (default 120)")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


class Scene:
    """A captured directory, its model, and the overlay over it."""

    def __init__(self, given, place, mountpoint, chance):
        self.chance, self.mountpoint = chance, mountpoint
        self.asof = asof_process.Asof(given.asof, place).init()
        self.overlay = place.path / "overlay"
        self.model, data = file_model.Model(), place.folder("data")
        calls = file_model.Calls(chance.randrange(1 << 30))
        for _ in range(150):
            call = calls.next(self.model)
            file_model.perform(data, call)
            self.model.apply(call)
        self.asof.run("follow", "--once", "--no-stop", data)
        self.calls = file_model.Calls(chance.randrange(1 << 30))
        self.process = None

    def mount(self, crash_at=None):
        """Mounts it; False: asof died before it was mounted."""
        self.process = processes.start([self.asof.binary, "mount", "--foreground", "--at", "latest", "--rw", "--overlay", self.overlay, self.mountpoint],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.asof.with_crash(crash_at))
        line = self.process.stdout.readline()
        if line:
            return True
        code = self.process.wait(30)
        if code != -9:
            raise processes.CommandFailed(f"the mount ended with {code}: {self.process.stderr.read().decode(errors='replace')[-1000:]}")
        processes.unmount(self.mountpoint)
        return False

    def work(self, count, until=None):
        """Makes calls until asof dies, `count` are made or `until` has come. Returns the calls that returned, the one in flight, and how many of
        them had returned when the last fsync that returned began."""
        done, promised, current = [], 0, self.model.copy()
        for _ in range(count):
            if until is not None and time.monotonic() > until:
                break
            call = self.calls.next(current)
            try:
                file_model.perform(self.mountpoint, call)
            except OSError as problem:
                if problem.errno not in GONE:
                    raise processes.CommandFailed(f"{call} failed: {problem}") from problem
                return done, call, promised
            if call[0] in ("fsync", "fsyncdir"):
                promised = len(done)
            done.append(call)
            current.apply(call)
        return done, None, promised

    def after(self):
        """asof is dead: takes the mount away."""
        self.process.wait(30)
        processes.unmount(self.mountpoint)

    def stop(self):
        """Unmounts in order."""
        self.asof.run("umount", self.mountpoint)
        code = self.process.wait(60)
        if code != 0:
            raise processes.CommandFailed(f"the mount ended with {code}: {self.process.stderr.read().decode(errors='replace')[-1000:]}")

    def numbers(self):
        """The inode numbers of all paths."""
        return {path: os.lstat(self.mountpoint / path).st_ino for path in self.model.paths()}

    def renumbered(self, before, done, flying):
        """Paths that no call spoke of and that are another inode than before, one line each."""
        spoken = [word for call in [*done, *([flying] if flying else [])] for word in call[1:] if isinstance(word, str)]
        now = self.numbers()
        return [f"{path}: inode {now[path]}, {number} before" for path, number in before.items()
                if path in now and now[path] != number and not any(path == word or path.startswith(word + "/") for word in spoken)]

    def judge(self, done, flying):
        """The model after what was done; violations where the directory is neither that nor one call further."""
        after = self.model.copy()
        for call in done:
            after.apply(call)
        found = file_model.differences(after, self.mountpoint)
        if found and flying is not None:
            further = after.copy()
            further.apply(flying)
            for state in [further, *self._parts(after, flying)]:
                if not file_model.differences(state, self.mountpoint):
                    found, after = [], state
                    break
        self.model = after
        return found

    @staticmethod
    def _parts(before, flying):
        """The states of a long write, which comes in several requests."""
        if flying[0] != "write":
            return
        _, path, seed, offset, length = flying
        # The kernel cuts long writes at pages.
        for cut in range(offset // 4096 * 4096 + 4096, offset + length, 4096):
            part = before.copy()
            data = part.find(path).data
            data.extend(bytes(max(0, cut - len(data))))
            data[offset:cut] = file_model.content(seed, length)[:cut - offset]
            yield part

    def judge_cut(self, done, flying, promised):
        """The same after a power cut."""
        rest = done[promised:] + ([flying] if flying else [])
        state = self.model.copy()
        for call in done[:promised]:
            state.apply(call)
        first = None
        for number in range(len(rest) + 1):
            found = file_model.differences(state, self.mountpoint, Later(rest[number:], state).explains)
            if not found:
                # What it is exactly from now on is what is there.
                self.model = reread(state, self.mountpoint)
                return []
            first = first or found
            if number < len(rest):
                state.apply(rest[number])
        return [f"no state from {promised} to {promised + len(rest)} calls fits; the first: {line}" for line in first]


class Later:
    """Writes that came later and were not promised: their bytes may already be there."""

    def __init__(self, calls, model=None):
        # Names may have changed since: a later write is taken for any file's.
        self.writes = [call for call in calls if call[0] == "write"]

    def explains(self, node, data):
        """Whether each byte is the model's or one of a later write."""
        wrong = {i for i, (a, b) in enumerate(zip(data, node.data)) if a != b}
        for _, _, seed, offset, length in self.writes:
            piece = file_model.content(seed, length)
            wrong -= {i for i in wrong if offset <= i < offset + length and piece[i - offset] == data[i]}
            if not wrong:
                return True
        return not wrong


def reread(model, root):
    """The model with the contents that are there."""
    fresh = model.copy()
    for path in fresh.paths("f"):
        fresh.find(path).data = bytearray((root / path).read_bytes())
    return fresh


def one_kill(given, number, workspace, point=None):
    """A round. Returns the violations, and whether the point was reached."""
    scene = Scene(given, workspace, workspace.folder("mount"), random.Random(f"{given.seed} kill {number}"))
    found, reached, numbers = [], point is None, None
    for attempt in range(3):
        if not scene.mount(point if attempt != 1 else None):
            reached = True
            done, flying = [], None
        else:
            found += [f"at the start of life {attempt}: {line}" for line in scene.judge([], None)]
            if numbers is not None:
                found += [f"mounted again: {line}" for line in scene.renumbered(numbers, [], None)]
            numbers = scene.numbers()
            until = time.monotonic() + scene.chance.random() * 1.5 if point is None else None
            done, flying, _ = scene.work(given.calls, until)
            if point is None or attempt == 1:
                scene.process.kill()
            elif flying is None:
                # Not reached by calls: perhaps by the end.
                subprocess.run(["umount", str(scene.mountpoint)], check=False, timeout=60, capture_output=True)
                if scene.process.wait(60) not in (0, -9):
                    found.append(f"the mount ended with {scene.process.returncode}")
            reached = reached or scene.process.wait(30) == -9
            scene.after()
        if not scene.mount():
            return [*found, "the mount does not start again"], reached
        found += [f"after death {attempt}: {line}" for line in scene.judge(done, flying)]
        if numbers is not None:
            found += [f"after death {attempt}: {line}" for line in scene.renumbered(numbers, done, flying)]
        numbers = scene.numbers()
        scene.stop()
        if found:
            break
    return found, reached


def one_cut(given, number, workspace):
    """A power cut. Returns the violations."""
    chance = random.Random(f"{given.seed} cut {number}")
    disk = Disk(workspace)
    disk.attach()
    scene = Scene(given, Place(disk.path), workspace.folder("mount"), chance)
    subprocess.run(["sync"], check=True)
    found = []
    for attempt in range(2):
        scene.mount()
        found += [f"at the start of life {attempt}: {line}" for line in scene.judge([], None)]
        done, flying, promised = scene.work(given.calls, time.monotonic() + chance.random() * 2)
        scene.process.kill()
        disk.cut()
        scene.after()
        disk.detach()
        disk.attach()
        if not scene.mount():
            return [*found, "the mount does not start again"]
        found += [f"after cut {attempt}: {line}" for line in scene.judge_cut(done, flying, promised)]
        scene.stop()
        if found:
            break
    disk.detach()
    return found


def main():
    """All rounds."""
    given = parsed()
    os.umask(0)
    points = [] if given.points == "none" else list(POINTS) if given.points == "all" else given.points.split(",")
    plan = [("kill", None)] * given.random + [("kill", f"{p}:{n}" if n != "1" else p) for p in points for n in given.occurrences.split(",")]
    if given.power and subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "power_cuts.py"), "--rounds", "0"], capture_output=True, check=False).returncode != 0:
        print("SKIPPED power cuts: they need root and loop devices that can be shut down", flush=True)
        given.power = 0
    plan += [("cut", None)] * given.power
    bad = 0
    for number, (kind, point) in enumerate(plan):
        name = f"round {number} ({kind} {point or ''}, seed {given.seed})"
        with processes.Workspace("overlay-crash", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, name):
            if kind == "cut":
                found, reached = one_cut(given, number, workspace), True
            else:
                found, reached = one_kill(given, number, workspace, point)
        if not reached and point.split(":")[-1] in ("1", point):
            found.append("never reached")
        bad += bool(found)
        for line in found:
            print(f"{name}: {line}", flush=True)
    print(f"overlay: {len(plan) - given.power} crashes, {given.power} power cuts, {bad} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
