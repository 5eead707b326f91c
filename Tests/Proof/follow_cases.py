#!/usr/bin/env python3
"""Hard cases for `asof follow`, one small server each (hard_cases.py), through the real command.

  follow_cases.py [--asof BIN] [--cases all|NAME,NAME…] [--watches fanotify,inotify] [--ways ptrace] [--tick 20ms]

Whenever a case rests, the directory is scanned; later the views of that moment and of the newest transaction then must be equal in
everything (names, bytes, modes, owners, times, link counts, attributes). A cut may be fuzzy, or in a gap that is declared
afterwards, only where the case says so; following may end (with a message) only where the case says so. At the end the newest view
equals the directory. The follower stays small. Exit 1 otherwise.
"""
import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import asof_process
import cgroups
import compare_trees
import follower
import hard_cases
import processes

#: Memory of its own that a follower of a small directory may have, in KiB.
MEMORY = 150 << 10
#: They lower what is everybody's: never beside others.
ALONE = ("overflow", "too_few_watches")
QUEUE, WATCHES = Path("/proc/sys/fs/inotify/max_queued_events"), Path("/proc/sys/fs/inotify/max_user_watches")


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--cases", default="all")
    parser.add_argument("--watches", default="fanotify,inotify", help="each case with each of them; `turn`: in turn")
    parser.add_argument("--ways", default="ptrace", help="of stopping, in turn (default %(default)s)")
    parser.add_argument("--tick", default="20ms")
    parser.add_argument("--seed", type=int, default=1, help="where taking turns begins")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cases at once (default 1)")
    parser.add_argument("--deadline", type=int, default=90, metavar="SECONDS", help="a case (default 90)")
    parser.add_argument("--verbose", action="store_true", help="print the last status and what was said")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class ServerEnded(processes.CommandFailed):
    """The case's own program: nothing was shown of the follower."""


class Lowered:
    """A setting of the kernel, lowered for as short as possible: it is everybody's."""

    def __init__(self, path, value):
        self.path, self.value, self._was = path, value, None

    def __enter__(self):
        self._was = self.path.read_text()
        self.path.write_text(f"{self.value}\n")

    def __exit__(self, *_):
        self.path.write_text(self._was)


class Actor:
    """The server of a case."""

    def __init__(self, name, root, outside, group=None):
        wrap = [sys.executable, Path(__file__).with_name("case_actor.py"), name]
        if name == "other_namespace":
            volume = f"{outside}/volume"
            os.mkdir(volume)
            wrap = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", root, volume, *wrap]
            root = volume
        self.process = processes.start([*wrap, root, outside], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if group:
            group.add(self.process.pid)

    def step(self):
        """Makes one step; False: there is none left."""
        self.process.stdin.write(b"next\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer not in (b"done\n", b"end\n"):
            raise ServerEnded(f"the case's server ended: {answer} {self.process.poll()}")
        return answer == b"done\n"

    def end(self):
        """Ends it."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Run:
    """One case in one variant."""

    def __init__(self, given, name, way, watch, workspace, group):
        self.given, self.name, self.way, self.watch = given, name, way, watch
        self.asof = asof_process.Asof(given.asof, workspace).init()
        self.directory, self.outside = workspace.folder("data"), workspace.folder("outside")
        self.allowed = hard_cases.EXPECT[name]
        self.actor = Actor(name, self.directory, self.outside, group)
        self.found, self.notes, self.rests, self.is_refused = [], [], [], False

    def follow(self):
        """A follower for it, started as the case needs."""
        options = ["--tick", hard_cases.TICKS.get(self.name, self.given.tick), "--stop-by", self.way, "--interval", "1s"]
        if self.watch:
            options += ["--watch-by", self.watch]
        if self.name != "other_namespace":
            options += ["--pid", self.actor.process.pid]
        following = follower.Follower(self.asof, self.directory, *options)
        if self.name == "overflow":
            with Lowered(QUEUE, 64):
                return following.start().await_ready()
        if self.name == "too_few_watches" and self.watch == "inotify":
            with Lowered(WATCHES, 20):
                return following.start().await_ready()
        return following.start().await_ready()

    def steps(self, following):
        """Makes the steps, and remembers what the directory was at each rest."""
        while self.actor.step():
            ended = time.time_ns()
            snapshot = compare_trees.scan(self.directory, hashed=True)
            # What counts as captured must be right at once, or not be shown; when nothing is compared any more it must be there.
            following.await_captured(ended, 20, whole=False)
            early, last = time.time_ns(), following.status().get("lastTransaction")
            following.await_captured(ended, 20)
            self.rests.append((len(self.rests) + 1, early, last, time.time_ns(), snapshot))
            time.sleep(0.03)

    def run(self):
        """All of it; returns the lines about violations."""
        try:
            self.actor.step()
            try:
                following = self.follow()
            except processes.CommandFailed as problem:
                return self._refused(str(problem))
            watcher = threading.Thread(target=self._watch_memory, args=(following,))
            watcher.start()
            try:
                self.steps(following)
                if self.name == "other_namespace" and not (following.status().get("follow") or {}).get("stops", 1):
                    self.found.append("the server was never stopped")
                if self.given.verbose:
                    print(following.status(), following.complaints(), sep="\n")
                if following.stop(30) != 0:
                    raise processes.CommandFailed(f"follow ended with {following.process.returncode}: {following.complaints()}")
            except processes.CommandFailed as problem:
                if following.process.poll() is None:
                    following.kill()
                if isinstance(problem, ServerEnded):
                    self.found.append(str(problem))
                else:
                    self._refused(str(problem))
            watcher.join()
            self.judge()
            return self.found
        finally:
            self.actor.end()

    def _watch_memory(self, following):
        """Until it ends: how much it has at most."""
        peak = 0
        while following.process.poll() is None:
            peak = max(peak, processes.private_memory(following.process.pid))
            time.sleep(0.02)
        if peak > MEMORY:
            self.found.append(f"the follower had {peak >> 10} MiB in memory")

    def _refused(self, what):
        """Following ended, or never began."""
        if "refuse" in self.allowed and "had not captured" not in what:
            self.is_refused = True
            self.notes.append(f"refused: {' '.join(what.split())[-160:]}")
        else:
            self.found.append(what)
        return self.found

    def judge(self):
        """Every rest against its view."""
        if not self.rests:
            return
        with asof_process.Views(self.asof) as views:
            for number, early, last, late, want in self.rests:
                self._judge_at(views.at(early), f"rest {number}, at first", want, True)
                if last:
                    self._judge_at(views.after(last), f"rest {number}, lsn:{last}", want, True)
                self._judge_at(views.at(late), f"rest {number}", want, self.is_refused or "gap" in self.allowed and self.asof.json("window")["gaps"])

    def _judge_at(self, folder, where, want, may_be_absent):
        try:
            lines = compare_trees.differences(want, compare_trees.scan(folder, hashed=True))
            is_fuzzy = os.getxattr(folder, "user.asof.exact") == b"false"
        except (OSError, processes.CommandFailed) as problem:
            if not may_be_absent:
                self.found.append(f"{where}: cannot be read: {problem}")
            return
        if is_fuzzy:
            self.notes.append(f"{where} is fuzzy")
            if "fuzzy" not in self.allowed:
                self.found.append(f"{where} is fuzzy")
        if lines and not (is_fuzzy and "fuzzy" in self.allowed):
            self.found += [f"{where}: {line}" for line in lines[:10]]

    def again(self):
        """A second follower must find everything that the first did not see."""
        following = follower.Follower(self.asof, self.directory, "--tick", self.given.tick, "--no-stop", "--interval", "1s", name="follow-again")
        with following:
            following.await_captured(time.time_ns(), 30)
        with asof_process.Views(self.asof) as views:
            self.found += [f"followed again: {line}" for line in compare_trees.compare(self.directory, views.latest())[:10]]


def one_case(given, name, way, watch):
    """One case in one variant; returns the lines about violations."""
    with processes.Workspace(f"case-{name}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, name):
        if way == "cgroup":
            with cgroups.Group("freezer", "case") as group:
                run = Run(given, name, way, watch, workspace, group)
                return run, run.run()
        run = Run(given, name, way, watch, workspace, None)
        found = run.run()
        if not name.startswith("mapped_"):
            run.again()
        return run, found


def variants(given):
    """The cases to run, as (case, way, watch)."""
    chosen = list(hard_cases.CASES) if given.cases == "all" else given.cases.split(",")
    ways, watches = given.ways.split(","), given.watches.split(",")
    if not follower.knows(given.asof, "--watch-by"):
        print("SKIPPED: the choice of watches: this asof has no --watch-by")
        watches = [None]
    missing = cgroups.available("freezer") if "cgroup" in ways else None
    if missing:
        print(f"SKIPPED: way cgroup: {missing}")
        ways.remove("cgroup")
    found = []
    for index, name in enumerate(chosen, given.seed):
        some = [("fanotify", "inotify")[index % 2]] if watches == ["turn"] else watches
        for watch in ["inotify"] if name in ALONE and watches != [None] else some:
            found.append((name, ways[len(found) % len(ways)], watch))
    return found


def run_one(given, name, way, watch):
    """One case; prints what was found. True: nothing."""
    began = time.monotonic()
    try:
        run, found = one_case(given, name, way, watch)
        notes = run.notes
    except (processes.CommandFailed, OSError) as problem:
        found, notes = [f"{type(problem).__name__}: {problem}"], []
    lines = [f"{name}: {line}" for line in found[:20]]
    lines.append(f"{name}, {watch or 'any watch'}, {way}: {len(found)} violations{'; ' + '; '.join(notes) if notes else ''} ({time.monotonic() - began:.1f} s)")
    print("\n".join(lines), flush=True)
    return not found


def run_share(given, some):
    """A share of the cases in a child process of its own; each child is the parent of its servers."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            processes.die_with_parent()
            code = 0 if all([run_one(given, *variant) for variant in some]) else 1
        finally:
            sys.stdout.flush()
            os._exit(code)
    return pid


def main():
    given = parsed()
    chosen = variants(given)
    together = [variant for variant in chosen if variant[0] not in ALONE] if given.jobs > 1 else []
    shares = [run_share(given, together[job::given.jobs]) for job in range(given.jobs)] if together else []
    good = all([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0 for pid in shares])
    good = all([run_one(given, *variant) for variant in chosen if variant not in together]) and good
    print(f"{len(chosen)} cases, {'all good' if good else 'FAILED'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
