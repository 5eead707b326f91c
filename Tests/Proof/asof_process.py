"""The command `asof` as the proofs drive it: one repository, a recorder in the foreground, views of the past.

Only the command line is known here; nothing of asof's code is shared.
"""
import datetime
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from pathlib import Path

import processes
from shared_material import REPOSITORY_ROOT

DEFAULT_BINARY = REPOSITORY_ROOT / ".build" / "release" / "asof"


def add_binary_option(parser):
    """The option that every tool has."""
    parser.add_argument("--asof", default=os.environ.get("ASOF_BINARY", str(DEFAULT_BINARY)), metavar="BIN",
                        help="the asof to prove (default: $ASOF_BINARY, else .build/release/asof)")


def rfc3339(nanoseconds):
    """A moment in ns since 1970 as asof writes it, with all nine digits."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


def nanoseconds(text):
    """The inverse of `rfc3339`; the fraction may be short or absent, as asof writes it."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


class Asof:
    """One repository in `workspace` and the environment to work with it."""

    def __init__(self, binary, workspace, encrypted=False, compression=None):
        self.binary = Path(binary).resolve()
        if not os.access(self.binary, os.X_OK):
            raise SystemExit(f"{self.binary}: no such program; build it (swift build -c release) or name it with --asof")
        self.workspace = workspace
        self.repository = workspace.path / "repository"
        self.state = workspace.folder("state")
        self.compression = compression
        self.environment = {**os.environ, "ASOF_REPO": str(self.repository), "ASOF_STATE_DIR": str(self.state)}
        self.environment.pop("ASOF_CRASH_AT", None)
        self.key = None
        if encrypted:
            self.key = workspace.path / "key"
            self.key.write_text(secrets.token_hex(32) + "\n")
            self.key.chmod(0o600)
            self.environment["ASOF_KEY_FILE"] = str(self.key)

    def with_crash(self, point):
        """The environment in which asof kills itself at `point` (`name` or `name:n`)."""
        return {**self.environment, "ASOF_CRASH_AT": point} if point else self.environment

    def run(self, *arguments, timeout=120, check=True, crash_at=None):
        """Runs one command to its end."""
        return processes.run([self.binary, *arguments], timeout=timeout, check=check, env=self.with_crash(crash_at))

    def init(self):
        """Makes the repository."""
        arguments = ["init"]
        if self.key:
            arguments += ["--key-file", self.key]
        if self.compression:
            arguments += ["--compression", self.compression]
        self.run(*arguments)
        return self

    def json(self, *arguments):
        """The answer of a command with --json."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def crash_points(self):
        """The names of all points at which asof can be made to kill itself."""
        return [line for line in self.run("internal-crash-points").stdout.split("\n") if line.strip()]

    def unmount(self, mountpoint):
        """`asof umount`, then whatever it takes."""
        if processes.is_mounted(mountpoint):
            self.run("umount", mountpoint, check=False, timeout=30)
        processes.unmount(mountpoint)


class RecorderDied(Exception):
    """The recorder ended although nobody asked it to."""


class Recorder:
    """`asof record` in the foreground. A context: it is stopped cleanly at the end, or killed when something went wrong."""

    def __init__(self, asof, backing, mountpoint, *options, crash_at=None, prefix=()):
        self.asof, self.backing, self.mountpoint = asof, Path(backing), Path(mountpoint)
        self.log = asof.workspace.path / "record.log"
        self._ready = threading.Event()
        with open(self.log, "ab") as log:
            self.process = processes.start([*prefix, asof.binary, "record", backing, mountpoint, *options], stdin=subprocess.DEVNULL,
                                           stdout=subprocess.PIPE, stderr=log, env=asof.with_crash(crash_at))
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self):
        for line in self.process.stdout:
            if line.startswith(b"ready"):
                self._ready.set()

    def complaints(self):
        """The last lines it wrote to its standard error."""
        return self.log.read_text(errors="replace")[-3000:].strip()

    def await_ready(self, seconds=60):
        """Waits until the mount answers."""
        end = time.monotonic() + seconds
        while not self._ready.wait(0.01):
            if self.process.poll() is not None and not self._ready.wait(0.1):
                raise RecorderDied(f"record ended with {self.process.returncode} before it was ready: {self.complaints()}")
            if time.monotonic() > end:
                raise processes.CommandFailed(f"record was not ready within {seconds} s: {self.complaints()}")
        return self

    def died(self):
        """Whether it has ended."""
        return self.process.poll() is not None

    def kill(self):
        """kill -9, and waits for its end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, seconds=120):
        """Ends it cleanly and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise processes.CommandFailed(f"record did not end within {seconds} s of SIGTERM: {self.complaints()}") from None

    def __enter__(self):
        return self.await_ready()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                code = self.stop()
                if code != 0:
                    raise RecorderDied(f"record ended with {code}: {self.complaints()}")
            elif self.process.poll() is None:
                self.kill()
        finally:
            processes.unmount(self.mountpoint)


class Views:
    """Past states as folders: through one mounted directory of time, or (`single`) through one `asof mount --at` each."""

    def __init__(self, asof, single=False, name="views"):
        self.asof, self.single = asof, single
        self.mountpoint = asof.workspace.folder(name)
        self._current = None

    def __enter__(self):
        if not self.single:
            self.asof.run("mount", self.mountpoint)
        return self

    def __exit__(self, *_):
        self.asof.unmount(self.mountpoint)

    def _at(self, name, when):
        if not self.single:
            return self.mountpoint / name
        if self._current != when:
            self.asof.unmount(self.mountpoint)
            self._current = None
            self.asof.run("mount", "--at", when, self.mountpoint)
            self._current = when
        return self.mountpoint

    def at(self, nanoseconds):
        """The folder that shows the state at a moment."""
        seconds, rest = divmod(nanoseconds, 1_000_000_000)
        return self._at(rfc3339(nanoseconds), f"@{seconds}.{rest:09d}")

    def after(self, lsn):
        """The folder that shows the state after a transaction."""
        return self._at(f"lsn-{lsn}", f"lsn:{lsn}")

    def latest(self):
        """The folder that shows the newest state."""
        return self._at("latest", "latest")

    @staticmethod
    def lsn(folder):
        """The LSN that a view says it shows."""
        return int(os.getxattr(folder, "user.asof.lsn").decode())
