#!/usr/bin/env python3
"""The server of a hard case: `case_actor.py CASE ROOT OUTSIDE`; a line in is a step, a line out says that it is done."""
import os
import sys

import hard_cases


def main():
    os.umask(0o022)
    steps = hard_cases.CASES[sys.argv[1]](sys.argv[2], sys.argv[3])
    for _ in sys.stdin:
        try:
            next(steps)
            print("done", flush=True)
        except StopIteration:
            print("end", flush=True)


if __name__ == "__main__":
    main()
