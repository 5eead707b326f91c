"""`asof follow` in the foreground, as the campaigns drive it."""
import json
import signal
import subprocess
import time

import processes


def knows(asof, option):
    """Whether this `asof follow` has an option."""
    return option in processes.run([asof, "follow", "--help"]).stdout


class Follower:
    """A context: stopped cleanly at the end, which must succeed; killed when something went wrong."""

    def __init__(self, asof, directory, *options, group=None, name="follow", environment=None):
        self.asof, self.directory, self.options, self.group = asof, directory, options, group
        self.log = asof.workspace.path / f"{name}.log"
        self.environment = environment or asof.environment
        self.process, self._said = None, 0

    def start(self):
        """Starts it, without waiting."""
        self._said = self.log.stat().st_size if self.log.exists() else 0
        # In its cgroup from its first instruction on: what joins later keeps its memory where it was.
        before = [self.group.command()] if self.group else []
        with open(self.log, "ab") as log:
            self.process = processes.start([*(before and ["sh", "-c", before[0] + ' && exec "$@"', "sh"]), self.asof.binary, "follow", self.directory, *self.options],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        return self

    def said(self):
        """What it said since it was last started."""
        return self.log.read_bytes()[self._said:]

    def await_ready(self, seconds=60):
        """Waits until it follows."""
        end = time.monotonic() + seconds
        while b"ready" not in self.said():
            if self.process.poll() is not None or time.monotonic() > end:
                raise processes.CommandFailed(f"follow is not ready ({self.process.poll()}): {self.complaints()}")
            time.sleep(0.01)
        return self

    def complaints(self):
        """What it said, for people."""
        said = self.said().decode(errors="replace")
        # Of a trap, what trapped and where comes first, and much behind it.
        trap = max(said.find("Fatal error"), said.find("*** "))
        return (said[-2000:] if trap < 0 else said[max(0, trap - 500):trap + 4000]).strip()

    def status(self):
        """The recorder's part of `asof status`; {} while it does not answer."""
        try:
            return self.asof.json("status").get("recorder") or {}
        except (processes.CommandFailed, json.JSONDecodeError, KeyError):
            return {}

    def await_captured(self, nanoseconds, seconds=60, whole=True):
        """Waits until everything up to a moment of the wall clock is captured on this host, and (`whole`) no comparison goes on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before, status = time.time_ns(), self.status()
            follow = status.get("follow") or {}
            if "capturedLag" in follow and before - follow["capturedLag"] > nanoseconds + 100_000_000 and not (whole and status.get("comparison") == "running"):
                return
            if self.process.poll() is not None:
                raise processes.CommandFailed(f"follow ended with {self.process.returncode}: {self.complaints()}")
            time.sleep(0.05)
        raise processes.CommandFailed(f"follow had not captured that moment after {seconds} s: {self.status()}; {self.complaints()}")

    def kill(self):
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, seconds=120):
        """Ends it cleanly; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(seconds)

    def __enter__(self):
        return self.start().await_ready()

    def __exit__(self, kind, *_):
        if kind is not None:
            if self.process.poll() is None:
                self.kill()
            return
        code = self.stop()
        if code != 0:
            raise processes.CommandFailed(f"follow ended with {code}: {self.complaints()}")
