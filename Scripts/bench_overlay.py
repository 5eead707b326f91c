"""Rows of mounts that can be changed (`asof mount --rw`):

  overlay-write      appends of 100 bytes and 2 KiB through an overlay kept with --overlay, against the passthrough; writes a second
  overlay-sync       appends of 2 KiB, an fdatasync after each
  start-read         every byte of the last state of the trace `garden`, page cache dropped and freshly mounted with --rw --overlay, against the
                     same files in a plain directory: seconds of `find -type f -exec cat`
  promote            a reader of the mount, 64 KiB at a random place of a random file whose pages are not in the cache, while `asof promote`
                     writes 1 GB, and alone before and after: 99th of 100 of its times, against the mean of the two. It lies where reads of the
                     few large files begin, and swings without any promotion, which is said; the second line is about the small ones alone
"""
import os
import random
import statistics
import subprocess
import time

import bench_material
import bench_restore
import asof_process
import processes

ROWS = ["overlay-write", "overlay-sync", "start-read", "promote"]


class OverlaySide:
    """An empty directory's past, mounted to be changed."""

    name = "asof"

    def __init__(self, bench):
        self.bench = bench

    def start(self):
        """Returns the mount point."""
        self.space = bench_material.Space(self.bench.fresh("overlay"))
        asof = asof_process.Asof(self.bench.given.asof, self.space).init()
        asof.run("follow", "--once", "--no-stop", self.space.folder("data"))
        self.mountpoint = self.space.folder("mount")
        self.process = processes.start([*self.bench.pinned("server"), asof.binary, "mount", "--foreground", "--at", "latest", "--rw", "--overlay",
                                        self.space.path / "overlay", self.mountpoint], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=asof.environment)
        self.process.stdout.readline()
        return self.mountpoint

    def stop(self):
        """Unmounts it and frees its space."""
        processes.unmount(self.mountpoint)
        self.process.wait(120)
        self.process.stdout.close()
        self.bench.remove(self.space.path)


def writes(bench, peer_side, size, count, sync):
    """Appends through both sides."""
    count //= 4 if bench.given.quick else 1

    def measure(side):
        mountpoint = side.start()
        try:
            subprocess.run(["sync"], check=True)
            return count / bench.seconds("append", mountpoint / "file", bench.data, size, count, sync)
        finally:
            side.stop()
    sides = ([peer_side(bench)] if bench.peer else []) + [OverlaySide(bench)]
    bench.show(f"overlay {'sync' if sync else 'write'} {size}", "writes/s", bench.alternate(measure, sides))


def drop_caches():
    """Nothing in the page cache."""
    subprocess.run(["sync"], check=True)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
        drop.write("3")


def read_all(folder):
    """Seconds that it takes to read every file."""
    began = time.monotonic()
    subprocess.run(["find", folder, "-type", "f", "-exec", "cat", "{}", "+"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def start_read(bench, garden_repository):
    """The last state of the trace, through a mount and plain."""
    found = garden_repository(bench)
    if found is None:
        return
    asof, space = found
    plain, mountpoint = space.path / "plain", space.folder("view")
    asof.run("restore", "--at", "latest", "--to", plain, "-q")
    seconds = {"plain": [], "mount": []}
    for number in range(bench.given.runs):
        drop_caches()
        seconds["plain"].append(read_all(plain))
        drop_caches()
        began = time.monotonic()
        asof.run("mount", "--at", "latest", "--rw", "--overlay", space.path / f"overlay-{number}", mountpoint, "-q")
        mounted = time.monotonic() - began
        seconds["mount"].append(read_all(mountpoint))
        asof.run("umount", mountpoint)
    plain_time, mount_time = (statistics.median(values) for values in seconds.values())
    size = int(subprocess.run(["du", "-sb", plain], capture_output=True, check=True).stdout.split()[0])
    print(f"{'start-read':<26} {'s':<9} plain {plain_time:.2f}, mount --rw {mount_time:.2f} (and {mounted * 1000:.0f} ms to mount), {size / 1e6:,.0f} MB: {mount_time / plain_time:.2f} times (must 3, stretch 1.5)", flush=True)


def reader(folder, seconds, until=None):
    """What reads took, in ms, as pairs with the file's size."""
    chance, times = random.Random(3), []
    files = sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    end = time.monotonic() + seconds
    while time.monotonic() < end and (until is None or until.poll() is None):
        descriptor = os.open(chance.choice(files), os.O_RDONLY)
        size = os.fstat(descriptor).st_size
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        began = time.perf_counter()
        os.pread(descriptor, 65_536, chance.randrange(max(1, size - 65_536)))
        times.append(((time.perf_counter() - began) * 1000, size))
        os.close(descriptor)
    return times


def p99(times, smaller_than=None):
    """99th of 100 of what reads took, of files below a size where it is given."""
    found = sorted(time for time, size in times if smaller_than is None or size < smaller_than)
    return found[int(len(found) * 0.99)]


def promote(bench):
    """A reader beside promotions, each between two times of it alone."""
    space = bench_material.Space(bench.fresh("promote"))
    source = space.folder("data")
    bench_restore.make(source, 1_000_000_000 if not bench.given.quick else 200_000_000)
    asof = asof_process.Asof(bench.given.asof, space).init()
    asof.run("follow", "--once", "--no-stop", source, timeout=600)
    mountpoint = space.folder("mount")
    asof.run("mount", "--at", "latest", "--rw", mountpoint, "-q")
    # What was written before this is no part of it.
    subprocess.run(["sync"], check=True)
    reader(mountpoint, 5)
    alone, beside = [reader(mountpoint, 5)], []
    for number in range(bench.given.runs):
        # What was promoted stays until the end: for minutes after a file was removed ext4 looks longer for a number for a new one.
        process = processes.start([asof.binary, "promote", mountpoint, "--to", space.path / f"promoted-{number}", "-q"], env=asof.environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        beside.append(reader(mountpoint, 60, process))
        if process.wait(120) != 0:
            raise processes.CommandFailed(f"promote ended with {process.returncode}")
        alone.append(reader(mountpoint, 5))
    asof.run("umount", mountpoint)
    for name, limit in (("promote: reader p99", None), ("promote: of files < 64 KiB", 65_536)):
        plain, busy = [p99(times, limit) for times in alone], [p99(times, limit) for times in beside]
        slower = [mine / ((before + after) / 2) - 1 for mine, before, after in zip(busy, plain, plain[1:])]
        noise = [max(before, after) / min(before, after) - 1 for before, after in zip(plain, plain[1:])]
        print(f"{name:<26} {'ms':<9} alone {statistics.median(plain):.2f} ({min(plain):.2f}…{max(plain):.2f}), beside {statistics.median(busy):.2f} ({min(busy):.2f}…{max(busy):.2f}): "
              f"{statistics.median(slower):.0%} slower, each {', '.join(f'{value:.0%}' for value in slower)}; alone before and after differ by {statistics.median(noise):.0%}"
              f"{' (must 50 %, stretch 20 %)' if limit is None else ''}", flush=True)
    bench.remove(space.path)
