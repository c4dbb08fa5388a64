#!/usr/bin/env python3
"""The report in a real browser.

    report_test.py --bin DIR --source DIR [unittest's arguments]

Exit status 77, which ctest counts as skipped, where chromium, chromium-driver or python3-selenium is missing.
"""

import argparse
import pathlib
import sys
import unittest

import browser
import report_case
from planted_test import Planted  # noqa: F401: unittest finds them here
from report_case import settings
from stores_test import Demo, Real, Sizes  # noqa: F401

EXIT_SKIPPED = 77


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    _, others = parser.parse_known_args(namespace=settings)
    settings.bin, settings.source = settings.bin.resolve(), settings.source.resolve()
    if browser.missing():
        print(f"skipped: not installed: {browser.missing()}")
        sys.exit(EXIT_SKIPPED)
    report_case.set_up()
    try:
        program = unittest.main(argv=[sys.argv[0], *others], exit=False)
    finally:
        report_case.tear_down()
    sys.exit(0 if program.result.wasSuccessful() else 1)
