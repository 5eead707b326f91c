#!/usr/bin/env python3
"""Debian's stress tools on a mount that can be changed: fio writes and verifies, stress-ng's file stressors verify themselves.

  overlay_stress.py [--asof BIN] [--seconds 3] [--stressors NAMES]

The view below holds a file of 50 MB, of which fio changes parts. At the end the mount is taken away and mounted again, and fio verifies what it wrote
once more. A stressor that this release of stress-ng has not is left out, and said. Exit 1 when anything fails.
"""
import argparse
import os
import subprocess
import sys

import asof_process
import processes

STRESSORS = ("access chdir chmod chown copy-file dentry dir dirdeep dirmany fallocate fault fcntl fiemap file-ioctl filename flock fpunch fstat getdent "
             "handle hdd io iomix link locka lockf lockofd mknod mmapfork msync open readahead rename revio seek sendfile splice symlink sync-file touch "
             "unlink utime verity xattr").split()
#: Sizes that fit in a small disk.
SIZES = {"hdd": "--hdd-bytes 16m", "fallocate": "--fallocate-bytes 16m", "readahead": "--readahead-bytes 8m", "iomix": "--iomix-bytes 16m",
         "sync-file": "--sync-file-bytes 8m", "copy-file": "--copy-file-bytes 128m", "fiemap": "--fiemap-bytes 16m", "revio": "--revio-bytes 16m", "seek": "--seek-size 16m"}
JOBS = {
    "in place": ["--filename=large", "--rw=randwrite", "--bs=1k-64k", "--bs_unaligned", "--size=40m", "--ioengine=sync", "--fsync=32"],
    "new files": ["--rw=randwrite", "--bs=4k-64k", "--size=32m", "--numjobs=2", "--ioengine=psync"],
    "mmap": ["--rw=randrw", "--bs=4k", "--size=16m", "--ioengine=mmap"],
}


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--seconds", type=int, default=3, help="of a stressor (default 3)")
    parser.add_argument("--stressors", default=",".join(STRESSORS))
    parser.add_argument("--deadline", type=int, default=1200, metavar="SECONDS")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def fio(name, folder, verify_only):
    """One job; the words about what is wrong, or None."""
    command = ["fio", f"--name={name.replace(' ', '-')}", f"--directory={folder}", "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--randseed=7", *JOBS[name]]
    command += ["--verify_only"] if verify_only else ["--do_verify=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder.parent)
    return None if done.returncode == 0 else f"fio, {name}: {(done.stderr or done.stdout)[-600:]}"


def stress(name, folder, seconds):
    """One stressor."""
    command = ["stress-ng", "--temp-path", str(folder), "--timeout", f"{seconds}s", "--verify", f"--{name}", "2", *SIZES.get(name, "").split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=False)
    words = done.stdout + done.stderr
    if "unrecognized option" in words:
        return None, f"stress-ng has no {name} here"
    return (None if done.returncode == 0 else f"stress-ng, {name}: {words[-600:]}"), None


def main():
    given = parsed()
    found, left_out = [], []
    with processes.Workspace("overlay-stress", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, "overlay_stress"):
        asof = asof_process.Asof(given.asof, workspace).init()
        data, mountpoint = workspace.folder("data"), workspace.folder("mount")
        (data / "large").write_bytes(os.urandom(50_000_000))
        asof.run("follow", "--once", "--no-stop", data)
        mount = ("mount", "--at", "latest", "--rw", "--overlay", workspace.path / "overlay", mountpoint, "-q")
        asof.run(*mount)
        found += [line for name in JOBS if (line := fio(name, mountpoint, False))]
        for name in given.stressors.split(","):
            wrong, absent = stress(name, mountpoint, given.seconds)
            found += [wrong] if wrong else []
            left_out += [absent] if absent else []
        asof.run("umount", mountpoint)
        asof.run(*mount)
        found += [f"mounted again: {line}" for name in JOBS if name != "mmap" and (line := fio(name, mountpoint, True))]
        asof.run("umount", mountpoint)
    print("\n".join(found + left_out))
    print(f"overlay under {len(JOBS)} jobs of fio and {len(given.stressors.split(',')) - len(left_out)} stressors of stress-ng: {len(found)} violations")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
