"""Performs a trace on a mounted directory and notes when each operation began and ended.

When the recorder is killed in the middle, the operation in flight may or may not have taken effect: it is made again, in a
way that accepts that it has.
"""
import errno
import os
import threading
import time

#: What a system call in a dead mount answers.
GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENODEV)


class Drive:
    """Drives `recorded` on `root`. `before[n]` and `after[n]` are the wall clock in ns around operation n."""

    def __init__(self, recorded, root):
        self.recorded, self.root = recorded, str(root)
        self.driver = recorded.module.Driver(recorded.trace, self.root)
        count = len(recorded.operations)
        self.before, self.after = [0] * (count + 2), [0] * (count + 2)
        #: Operations during which the recorder died.
        self.interrupted = []

    def run(self, last, speed=0, hooks=None, revive=None):
        """Performs operations 1 … last. `hooks` maps an operation's number to what is called just before it; `revive` brings
        the mount back after it died under us."""
        start, hooks = None, hooks or {}
        for operation in self.recorded.operations[:last]:
            number = operation["n"]
            if number in hooks:
                hooks[number]()
            if speed:
                start = start or (time.time_ns(), operation["t"])
                wait = start[0] + (operation["t"] - start[1]) / speed - time.time_ns()
                if wait > 0:
                    time.sleep(wait / 1e9)
            self.before[number] = time.time_ns()
            try:
                self.driver.do(operation)
            except OSError as problem:
                if revive is None or problem.errno not in GONE:
                    raise OSError(problem.errno, f"operation {number} ({operation['op']} {operation['path']}): {problem.strerror}") from problem
                self.interrupted.append(number)
                self.drop()
                revive()
                self._again(operation)
            self.after[number] = time.time_ns()
        self.close()

    def drop(self):
        """Forgets the descriptors into a mount that is gone."""
        for descriptor in self.driver.fds.values():
            try:
                os.close(descriptor)
            except OSError:
                pass
        self.driver.fds.clear()

    def close(self):
        """Closes what is still open."""
        for path in list(self.driver.fds):
            os.close(self.driver.fds.pop(path))

    def _again(self, operation):
        """Makes an operation that may have been made already."""
        kind, full = operation["op"], self.root + operation["path"]
        if kind == "mkdir" and os.path.isdir(full):
            os.chmod(full, operation["mode"] & 0o7777)
        elif kind == "create" and os.path.exists(full):
            os.chmod(full, operation["mode"])
        elif kind in ("unlink", "rmdir") and not os.path.lexists(full):
            pass
        elif kind == "rename" and not os.path.lexists(full):
            assert os.path.lexists(self.root + operation["to"]), f"operation {operation['n']}: neither old nor new name is there"
        elif kind in ("link", "symlink") and os.path.lexists(self.root + operation["to"] if kind == "link" else full):
            pass
        else:
            self.driver.do(operation)

    def moment_after(self, number, last, chance):
        """A moment between the end of an operation and the begin of the next: the first, the last, or one between."""
        low, high = self.after[number], self.before[number + 1] if number < last else self.after[number]
        assert low <= high, f"the clock went back at operation {number}"
        return chance.choice((low, high, (low + high) // 2))


class KillDuring:
    """A hook that kills a recorder shortly after it is called, while operations go on."""

    def __init__(self, recorder_now, microseconds):
        self.recorder_now, self.microseconds = recorder_now, microseconds

    def __call__(self):
        def strike():
            time.sleep(self.microseconds / 1e6)
            self.recorder_now().kill()
        threading.Thread(target=strike, daemon=True).start()
