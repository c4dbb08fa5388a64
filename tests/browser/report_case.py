"""What every browser test of a report has: one browser, one folder, pages, and what every page must be."""

import argparse
import json
import pathlib
import re
import sys
import tempfile
import time
import unittest

import browser
import stores

MOST_BYTES = 10_000_000
NO_WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
settings = argparse.Namespace()  # bin and source are given; lil, browser and folder are made by set_up()


def set_up():
    settings.folder = tempfile.TemporaryDirectory(prefix="lil-report-")
    settings.lil = stores.Lil(settings.bin, pathlib.Path(settings.folder.name))
    settings.browser = browser.Browser()


def tear_down():
    settings.browser.__exit__()
    settings.folder.cleanup()


def texts_in(page: pathlib.Path) -> list[dict]:
    """What the page holds of each trace, read without a browser."""
    found = re.findall(
        r'<script type="application/json" id="data-trace-\d+">(.*?)</script>', page.read_text(encoding="utf-8"), re.S
    )
    return [json.loads(each) for each in found]


class ReportCase(unittest.TestCase):
    """One page, made once, opened anew for each test."""

    page: pathlib.Path

    def setUp(self):
        self.browser = settings.browser
        self.browser.resize(1280)
        self.browser.media()

    def open(self, fragment: str = ""):
        started = time.monotonic()
        self.browser.open(self.page, fragment)
        self.seconds = time.monotonic() - started

    def run_script(self, script: str, *arguments):
        return self.browser.settled(script, *arguments)

    def expect_clean(self):
        self.assertEqual(self.browser.complaints(), [])

    def expect_whole(self):
        """What every report must be."""
        self.open()
        print(
            f"{type(self).__name__}: {self.page.stat().st_size / 1e6:.2f} MB, loaded in {self.seconds:.2f} s",
            file=sys.stderr,
        )
        self.assertLessEqual(self.page.stat().st_size, MOST_BYTES)
        figures = self.run_script("""return [...document.querySelectorAll('figure')].map((figure) => ({
            drawn: figure.querySelector('svg').getBoundingClientRect().height > 40,
            named: ['title', 'desc'].every((name) => figure.querySelector('svg > ' + name).textContent),
            described: figure.querySelector('figcaption').textContent.length > 20,
            cells: figure.querySelectorAll('details table td').length}))""")
        for figure in figures:
            self.assertTrue(figure["drawn"] and figure["named"] and figure["described"] and figure["cells"], figure)
        self.assertEqual(
            self.run_script("""const ids = [...document.querySelectorAll('[id]')].map((each) => each.id);
            return ids.filter((id, i) => ids.indexOf(id) !== i)"""),
            [],
        )
        self.assertEqual(
            self.run_script(
                """return [...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href').slice(1))
            .filter((id) => !document.getElementById(id))"""
            ),
            [],
        )
        self.assertEqual(self.run_script("return document.documentElement.lang"), "en")
        self.assertTrue(self.run_script("return !document.getElementById('explorer').hidden"))
        self.expect_clean()
        return len(figures)

    def expect_figures(self, *ids: str):
        """These and no others, in this order."""
        self.open()
        self.assertEqual(
            self.run_script("return [...document.querySelectorAll('section:has(figure)')].map((each) => each.id)"),
            list(ids),
        )

    def expect_whole_tables(self):
        """As many rows as the line above each says, and nowhere fewer."""
        self.open()
        tables = self.run_script("""return [...document.querySelectorAll('details.numbers')].map((each) =>
            [each.querySelector('summary').textContent, each.querySelectorAll('tbody tr').length])""")
        for summary, rows in tables:
            self.assertEqual(summary, f"The numbers: {rows} row{'' if rows == 1 else 's'}")
        return max(rows for _, rows in tables)

    def expect_no_sideways_scroll(self):
        for width in (360, 768, 1280):
            self.browser.resize(width)
            self.assertEqual(self.run_script(NO_WIDER), 0, f"at {width} px")

    def expect_same_stops(self):
        """The script's stops are the program's, for every guardian, trace and signal; returns how many stop."""
        wrong, stopped = self.run_script("""const wrong = []; let stopped = 0;
            const {traces, measures, rules} = data.index;
            traces.forEach((row, trace) => measures.forEach((_, measure) => rules.forEach((rule, r) => {
              if (!rule.guardian || row.stops[measure][r] === null) return;
              const stop = guardianStop(rule.guardian, data.curve(trace, measure), row.tokens);
              if (stop !== row.stops[measure][r]) wrong.push([trace, measure, rule.name, stop, row.stops[measure][r]]);
              if (stop > 0) ++stopped;
            }))); return [wrong, stopped]""")
        self.assertEqual(wrong, [])
        return stopped

    def open_trace(self, trace: int):
        self.run_script("explorer.change({trace: arguments[0]})", trace)
        self.assertTrue(self.run_script("return document.querySelector('#trace .text') !== null"))

    def fill_in(self, field: str, value: str, event: str = "change"):
        """As a reader does it: a filter by its name."""
        self.run_script(
            """const field = document.querySelector(`#filters [name=${arguments[0]}]`);
            field.value = arguments[1]; field.dispatchEvent(new Event(arguments[2]))""",
            field,
            value,
            event,
        )

    def shown_text(self) -> str:
        """The text of the open trace, with every piece of it made."""
        return self.run_script("""const pane = explorer.view.pane;
            pane.pieces.forEach((_, i) => pane.build(i));
            return pane.pieces.map((piece) => piece.textContent).join('')""")
