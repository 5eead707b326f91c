"""A small file system on a loop device on which the writes of one process take as long as we say: by the throttle of block devices
(cgroup version 1 `blkio`, version 2 `io`), which makes the caller of fsync wait inside the call, uninterruptibly."""
import os

import cgroups
import processes


class Unavailable(Exception):
    """There is no such disk here."""


class Disk:
    """Mounted at `folder`; `admit(pid)` says whose writes are slow, `slow()` and `fast()` when."""

    def __init__(self, workspace, milliseconds, megabytes=400):
        self.milliseconds = milliseconds
        self.folder, self._image = workspace.folder("disk"), workspace.path / "disk.img"
        self.what = f"{milliseconds} ms a write" if milliseconds else "as fast as the disk is"
        try:
            self._group = cgroups.Group("blkio" if not cgroups.has_io() else "io", "slow")
        except cgroups.Unavailable as problem:
            raise Unavailable(str(problem)) from problem
        try:
            with open(self._image, "wb") as image:
                image.truncate(megabytes << 20)
            processes.run(["mkfs.ext4", "-q", "-F", self._image])
            # The device goes away with the mount, whoever takes that away.
            processes.run(["mount", "-o", "loop", self._image, self.folder])
            (self.folder / "lost+found").rmdir()
            number = os.stat(self.folder).st_dev
            self._device = f"{os.major(number)}:{os.minor(number)}"
        except (processes.CommandFailed, OSError) as problem:
            self.close()
            raise Unavailable(f"no loop device with ext4: {problem}") from problem

    def admit(self, pid):
        """This process writes slowly from now on."""
        self._group.add(pid)

    def _limit(self, rate):
        if self._group.version == 2:
            self._group.write("io.max", f"{self._device} wiops={rate or 'max'}")
        else:
            self._group.write("blkio.throttle.write_iops_device", f"{self._device} {rate}")

    def slow(self):
        """Each write takes its time."""
        if self.milliseconds:
            self._limit(max(1, 1000 // self.milliseconds))

    def fast(self):
        """No delay any more."""
        if self.milliseconds:
            self._limit(0)

    def close(self):
        """Takes it away."""
        try:
            self.fast()
        except (cgroups.Unavailable, AttributeError):
            pass
        self._group.__exit__()
        processes.unmount(self.folder)


def made(workspace, milliseconds):
    """A disk for a step of a load."""
    return Disk(workspace, milliseconds)
