#!/usr/bin/env python3
"""Restores that fail: each ends with the code and the words that it should, loses nothing, and the same command goes on when it can.

  restore_failures.py [--asof BIN] [--cases full,interrupted,…] [--keep]

Needs root and small file systems in memory. Most cases are made twice: beside a target, and in place, as into the root of a volume. Prints
a line for what is wrong, then one for all; exit 1 when anything is.
"""
import argparse
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

import asof_process
import compare_trees
import processes

MIB = 1 << 20
#: Of the captured directory, in bytes.
SIZE = 24 * MIB


class Ground:
    """A repository with a state of some files in it, and a small file system to restore to."""

    def __init__(self, given, workspace):
        self.workspace, self.chance = workspace, random.Random(given.seed)
        self.source = workspace.folder("source")
        for number in range(SIZE // MIB):
            folder = self.source / f"folder-{number % 3}"
            folder.mkdir(exist_ok=True)
            (folder / f"file-{number}").write_bytes(self.chance.randbytes(MIB))
        (self.source / "small").write_bytes(b"small")
        os.link(self.source / "small", self.source / "folder-0" / "link")
        self.source.chmod(0o751)
        self.asof = asof_process.Asof(given.asof, workspace).init()
        self.asof.run("follow", "--once", "--no-stop", self.source)
        self.volume = workspace.folder("volume")
        self.found = []

    def mount(self, size=64 * MIB, options=""):
        """A new file system in memory."""
        self.unmount()
        processes.run(["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", self.volume])
        return self.volume

    def unmount(self):
        """Takes it away."""
        if processes.is_mounted(self.volume):
            processes.unmount(self.volume)

    def expect(self, what, condition, saying=""):
        """Notes what is not so."""
        if not condition:
            self.found.append(f"{what}: {saying}")

    def restore(self, place, *more, user=None):
        """Runs one to its end."""
        prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        return processes.run([*prefix, self.asof.binary, "restore", "--at", "latest", *place, "-q", *more], check=False, timeout=120, env=self.asof.environment)

    def start(self, place, *more):
        """Begins one."""
        return processes.start([self.asof.binary, "restore", "--at", "latest", *place, "-q", *more], env=self.asof.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ended(self, what, process, code, *words):
        """Waits for one that was begun, which must end like this."""
        errors = process.communicate(timeout=60)[1].decode(errors="replace")
        self.expect(what, process.returncode == code and all(word in errors for word in words), f"{process.returncode}, {errors.strip()}")

    def is_refused(self, what, place, code, *words, user=None):
        """Runs one that must end like this."""
        done = self.restore(place, user=user)
        self.expect(what, done.returncode == code and all(word in done.stderr for word in words), f"{done.returncode}, {done.stderr.strip()}")
        return done

    def is_whole(self, what, target, place):
        """Runs the same command to its end; the target must be the state."""
        done = self.restore(place)
        self.expect(what, done.returncode == 0, f"{done.returncode}, {done.stderr.strip()}")
        if "--in-place" in place:
            self.asof.run("restore", "--discard-old", target)
        self.found += [f"{what}: {line}" for line in compare_trees.compare(self.source, target)[:10]]


def places(ground, name):
    """Both ways to restore to the volume: what they are called, the target, the option. The second one has something in it already."""
    yield f"{name}, beside", ground.volume / "out", ["--to", str(ground.volume / "out")]
    for entry in ("folder-0", "other"):
        (ground.volume / entry).mkdir()
        (ground.volume / entry / "before").write_bytes(b"before")
    yield f"{name}, in place", ground.volume, ["--in-place", str(ground.volume)]


def is_untouched(ground, what, target):
    """Whether a target that was not finished is what it was."""
    if target == ground.volume:
        there = sorted(name for name in os.listdir(target) if not name.startswith(".asof-"))
        ground.expect(what, there == ["folder-0", "other"] and os.listdir(target / "other") == ["before"], f"holds {there}")
    else:
        ground.expect(what, not target.exists(), "the target is there")


def clear(volume):
    """Takes everything away from a volume."""
    for name in os.listdir(volume):
        shutil.rmtree(volume / name) if (volume / name).is_dir() else (volume / name).unlink()


def await_bytes(volume, size):
    """Waits until so much is written."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        status = os.statvfs(volume)
        if (status.f_blocks - status.f_bfree) * status.f_frsize > size:
            return
        time.sleep(0.02)


def full(ground):
    """The disk is full half-way; too full to begin; there is room again."""
    ground.mount(40 * MIB)
    for what, target, place in places(ground, "full"):
        process = ground.start(place, "--limit", "8MB")
        await_bytes(ground.volume, 4 * MIB)
        filler = ground.volume / (".asof-replaced-filler" if target == ground.volume else "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(MIB))
            except OSError:
                pass
        ground.ended(what, process, 75, "No space left", "hint", "same command")
        is_untouched(ground, what, target)
        ground.is_refused(f"{what}, too full to begin", place, 1, "needed", "too few")
        filler.unlink()
        ground.is_whole(f"{what}, then room", target, place)
        clear(ground.volume)
    ground.mount(40 * MIB)
    (ground.volume / "much").write_bytes(bytes(20 * MIB))
    ground.is_refused("full, both trees must fit", ["--in-place", str(ground.volume)], 1, "too few", "together")
    ground.expect("full, both trees must fit", os.listdir(ground.volume) == ["much"], f"holds {os.listdir(ground.volume)}")


def interrupted(ground):
    """^C, SIGTERM and kill -9 half-way, and the same command again."""
    for name, number, code in (("^C", signal.SIGINT, 130), ("SIGTERM", signal.SIGTERM, 130), ("kill -9", signal.SIGKILL, -9)):
        ground.mount()
        for what, target, place in places(ground, name):
            process = ground.start(place, "--limit", "8MB")
            await_bytes(ground.volume, 4 * MIB)
            process.send_signal(number)
            ground.ended(what, process, code, *(["same command"] if code == 130 else []))
            is_untouched(ground, what, target)
            ground.is_whole(f"{what}, again", target, place)
            clear(ground.volume)


def limit(ground):
    """A rate is kept, roughly."""
    ground.mount()
    place = ["--to", str(ground.volume / "out")]
    began = time.monotonic()
    done = ground.restore(place, "--limit", "8MB")
    took = time.monotonic() - began
    ground.expect("limit", done.returncode == 0 and SIZE / 8e6 * 0.7 < took < SIZE / 8e6 * 2.5, f"{done.returncode}, {took:.1f} s for {SIZE / 8e6:.1f} s")


def at_once(ground):
    """A second restore to the same place at the same time is refused, and the first one is not disturbed."""
    ground.mount()
    for what, target, place in places(ground, "two at once"):
        process = ground.start(place, "--limit", "8MB")
        await_bytes(ground.volume, 2 * MIB)
        ground.is_refused(what, place, 11)
        ground.ended(what, process, 0)
        if target == ground.volume:
            ground.asof.run("restore", "--discard-old", target)
        ground.found += [f"{what}: {line}" for line in compare_trees.compare(ground.source, target)[:10]]
        clear(ground.volume)


def read_only(ground):
    """The file system of the target is mounted read-only."""
    ground.mount()
    for what, _, place in places(ground, "read-only"):
        processes.run(["mount", "-o", "remount,ro", ground.volume])
        ground.is_refused(what, place, 1, "read-only")
        processes.run(["mount", "-o", "remount,rw", ground.volume])


def not_empty(ground):
    """A target that holds something is refused, and what it holds stays."""
    ground.mount()
    (ground.volume / "out").mkdir()
    (ground.volume / "out" / "x").write_bytes(b"x")
    ground.is_refused("not empty", ["--to", str(ground.volume / "out")], 1, "not empty", "hint")
    ground.expect("not empty", os.listdir(ground.volume / "out") == ["x"] and os.listdir(ground.volume) == ["out"], "something changed")


def damaged(ground):
    """A frame that cannot be read: named with its files, nothing is switched, and mended it goes on."""
    segments = ground.asof.repository / "timelines" / "main" / "segments"
    segment = max(segments.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    good = segment.read_bytes()
    ground.mount()
    for what, target, place in places(ground, "damaged"):
        segment.write_bytes(good[:len(good) // 2] + bytes(64) + good[len(good) // 2 + 64:])
        ground.is_refused(what, place, 22, "file-", segment.name, "hint")
        is_untouched(ground, what, target)
        segment.write_bytes(good)
        ground.is_whole(f"{what}, mended", target, place)
        clear(ground.volume)


def times(ground):
    """An instant in a gap, and outside of the window."""
    ground.mount()
    before = json.loads(ground.asof.run("window", "--json").stdout)["to"]["time"]
    time.sleep(0.3)
    (ground.source / "small").write_bytes(b"changed while nobody looked")
    time.sleep(0.3)
    middle = asof_process.rfc3339((asof_process.nanoseconds(before) + time.time_ns()) // 2)
    ground.asof.run("follow", "--once", "--no-stop", ground.source)
    for what, when, code in (("in a gap", middle, 21), ("before the window", "2001-01-01T00:00:00Z", 20), ("behind the window", "lsn:999999", 20)):
        for place in (["--to", str(ground.volume / "out")], ["--in-place", str(ground.volume)]):
            done = processes.run([ground.asof.binary, "restore", "--at", when, *place, "-q"], check=False, env=ground.asof.environment)
            ground.expect(what, done.returncode == code, f"{place[0]}: {done.returncode}, {done.stderr.strip()}")
    ground.expect("times", os.listdir(ground.volume) == [], "something was made")


def large(ground):
    """A file larger than a batch (2 GiB): killed behind its first part, then in its second one, and the same command again."""
    block = ground.chance.randbytes(4 * MIB)
    with open(ground.source / "large", "wb") as file:
        for number in range(2300 // 4):
            file.write(number.to_bytes(8, "little") + block[8:])
        file.seek(64 * MIB, os.SEEK_CUR)
        file.write(b"behind a hole")
    ground.asof.run("follow", "--once", "--no-stop", ground.source, timeout=600)
    target = ground.workspace.path / "out"
    for point in ("restore.batch.noted", "restore.piece.written:200"):
        done = ground.asof.run("restore", "--at", "latest", "--to", target, "-q", check=False, crash_at=point, timeout=300)
        ground.expect("large", done.returncode == -signal.SIGKILL and not target.exists(), f"{point}: {done.returncode}, {done.stderr.strip()}")
        state = next(ground.workspace.path.glob("out.asof-restoring-*")) / "state"
        chunk = json.loads(state.read_text().split("\n")[0])["done"]["chunk"]
        ground.expect("large", chunk > 0, f"{point}: nothing of the file is noted")
    ground.is_whole("large", target, ["--to", str(target)])


def volume(ground):
    """The root of an ext4 volume: `lost+found` stays, nothing may be mounted in it, and who uses it in another mount namespace is found, too."""
    image, place = ground.workspace.path / "image", ["--in-place", str(ground.volume)]
    image.touch()
    os.truncate(image, 80 * MIB)
    processes.run(["mkfs.ext4", "-q", image])
    if processes.run(["mount", "-o", "loop", image, ground.volume], check=False).returncode != 0:
        print("SKIPPED: the root of a volume: there are no loop devices")
        return
    (ground.volume / "other").mkdir()
    (ground.volume / "used").write_bytes(b"used")
    lost = os.stat(ground.volume / "lost+found").st_ino
    ground.is_refused("volume", ["--to", str(ground.volume)], 1, "--in-place")
    processes.run(["mount", "-t", "tmpfs", "tmpfs", ground.volume / "other"])
    ground.is_refused("volume, a mount in it", place, 1, "mounted at")
    processes.run(["umount", ground.volume / "other"])
    elsewhere = ground.workspace.folder("elsewhere")
    user = processes.start(["unshare", "-m", "sh", "-c", f"mount --bind {ground.volume} {elsewhere}; umount {ground.volume}; exec sleep 60 < {elsewhere}/used"])
    end = time.monotonic() + 10
    while "sleep" not in open(f"/proc/{user.pid}/comm", encoding="ascii").read() and time.monotonic() < end:
        time.sleep(0.02)
    ground.is_refused("volume, used in another namespace", place, 11, "in use", str(user.pid))
    user.kill()
    user.wait()
    ground.expect("volume", sorted(os.listdir(ground.volume)) == ["lost+found", "other", "used"], "something changed")
    # A default access-control list, which everything made in the directory would get.
    entries = ((1, 7, 0xFFFFFFFF), (2, 7, 1000), (4, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 5, 0xFFFFFFFF))
    os.setxattr(ground.volume, "system.posix_acl_default", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries))
    done = ground.restore(place)
    ground.expect("volume", done.returncode == 0, done.stderr)
    ground.asof.run("restore", "--discard-old", ground.volume)
    ground.expect("volume, lost+found", os.stat(ground.volume / "lost+found").st_ino == lost, "it is another one")
    times = ground.volume.stat()
    (ground.volume / "lost+found").rmdir()
    os.utime(ground.volume, ns=(times.st_atime_ns, times.st_mtime_ns))
    ground.found += [f"volume: {line}" for line in compare_trees.compare(ground.source, ground.volume)[:10]]


def not_root(ground):
    """A user who is not root: owners cannot be set, which is said once; all else is right."""
    user, mine = 1234, 2345
    (ground.source / "set-id").write_bytes(b"run")
    os.chmod(ground.source / "set-id", 0o4755)
    os.setxattr(ground.source / "set-id", "user.kept", b"1")
    os.setxattr(ground.source / "small", "trusted.lost", b"1")
    subprocess.run(["chown", "-R", f"{user}:{user}", ground.source / "folder-1"], check=True)
    ground.asof.run("follow", "--once", "--no-stop", ground.source)
    subprocess.run(["chmod", "-R", "a+rX", ground.asof.repository], check=True)
    ground.workspace.path.chmod(0o755)
    ground.mount(options=f",uid={user},gid={user}")
    target = ground.volume / "out"
    done = ground.is_refused("not root", ["--to", str(target)], 3, "owner", "as root", user=user)
    ground.expect("not root, said once", done.stderr.count("owner") <= 2 and len(done.stderr.strip().split("\n")) <= 3, done.stderr)
    expected = [line for line in compare_trees.compare(ground.source, target) if not any(word in line for word in ("uid", "gid", "owner"))]
    # Two files have another mode or lack an attribute, as said.
    ground.expect("not root", all("set-id" in line or "small" in line or "link" in line for line in expected), "; ".join(expected[:10]))
    status = os.stat(target / "set-id")
    ground.expect("not root", status.st_mode & 0o7777 == 0o755 and status.st_uid == user, f"{status.st_mode:o}")
    ground.expect("not root", os.getxattr(target / "set-id", "user.kept") == b"1", "an attribute is lost")
    # What is all the user's own is whole, and in place works as well.
    subprocess.run(["chown", "-R", f"{mine}:{mine}", ground.source], check=True)
    os.removexattr(ground.source / "small", "trusted.lost")
    os.chmod(ground.source / "set-id", 0o755)
    ground.asof.run("follow", "--once", "--no-stop", ground.source)
    subprocess.run(["chmod", "-R", "a+rX", ground.asof.repository], check=True)
    ground.mount(options=f",uid={mine},gid={mine}")
    for what, target, place in (("not root, own", ground.volume / "out", ["--to", str(ground.volume / "out")]), ("not root, in place", ground.volume, ["--in-place", str(ground.volume)])):
        ground.is_refused(what, place, 0, user=mine)
        if target == ground.volume:
            processes.run(["setpriv", f"--reuid={mine}", f"--regid={mine}", "--clear-groups", ground.asof.binary, "restore", "--discard-old", target], env=ground.asof.environment)
        ground.found += [f"{what}: {line}" for line in compare_trees.compare(ground.source, target)[:10]]


CASES = {"full": full, "interrupted": interrupted, "limit": limit, "at-once": at_once, "read-only": read_only, "not-empty": not_empty,
         "damaged": damaged, "times": times, "volume": volume, "not-root": not_root, "large": large}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--cases", default=",".join(name for name in CASES if name != "large"),
                        help=f"which of {', '.join(CASES)} (default: all but large, which takes 7 GB)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline", type=int, default=600, metavar="SECONDS")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: restores that fail: they need root")
        return
    found, names = [], given.cases.split(",")
    for name in names:
        with processes.Workspace("restore-failures", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, f"restore_failures {name}"):
            ground = Ground(given, workspace)
            try:
                CASES[name](ground)
            except (processes.CommandFailed, OSError, subprocess.SubprocessError) as problem:
                ground.found.append(f"{name}: {type(problem).__name__}: {problem}")
            finally:
                ground.unmount()
            found += ground.found
    print("\n".join(found), end="\n" if found else "")
    print(f"restores that fail: {len(names)} cases: count of what is wrong: {len(found)}", flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
