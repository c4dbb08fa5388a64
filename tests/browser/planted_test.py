"""Texts that a page could trip over, and everything that the explorer of traces does with them."""

import csv
import time

import browser
import stores
from report_case import ReportCase, settings, texts_in


def explorer_tolerance(case) -> int:
    """Tokens under one pixel of the chart."""
    return case.run_script("return Math.ceil(explorer.view.row.tokens / explorer.view.chart.width) + 1")


def _csv_rows(text: str) -> list[dict]:
    return list(csv.DictReader(text.splitlines()))


class Planted(ReportCase):
    """Texts that a page could trip over."""

    @classmethod
    def setUpClass(cls):
        store = stores.planted(settings.lil)
        cls.rules = [option for rule in stores.RULES for option in ("--rule", rule)]
        cls.page = settings.lil.report(store, "planted.html", *cls.rules, "--assets", "assets")

    def test_is_whole(self):
        self.expect_whole()

    def test_same_store_same_bytes(self):
        for threads in (1, 3):
            again = settings.lil.report("planted.db", "again.html", *self.rules, "--threads", threads)
            self.assertEqual(again.read_bytes(), self.page.read_bytes())

    def test_names_no_place_of_this_machine(self):
        self.assertNotIn(settings.folder.name, self.page.read_text(encoding="utf-8"))

    def test_assets_are_the_figures(self):
        self.open()
        figures = self.run_script("return [...document.querySelectorAll('section:has(figure)')].map((each) => each.id)")
        files = sorted(path.name for path in (settings.lil.folder / "assets").iterdir())
        self.assertEqual(files, sorted(f"{figure}.{kind}" for figure in figures for kind in ("svg", "csv")))

    def test_assets_of_another_report_are_removed(self):
        folder = settings.lil.folder / "left"
        folder.mkdir()
        for name in ("curves-old-one.svg", "curves-old-one.csv", "plane.csv", "notes.csv", "curves-old-one.txt"):
            (folder / name).write_text("old")
        settings.lil.report("planted.db", "left.html", *self.rules, "--assets", "left")
        self.assertEqual(sorted(path.name for path in folder.glob("*old*")), ["curves-old-one.txt"])
        self.assertEqual((folder / "notes.csv").read_text(), "old")
        self.assertNotEqual((folder / "plane.csv").read_text(), "old")

    def test_figures_and_tables(self):
        self.expect_figures(
            "budget", "lengths", "curves", "curves-lz77", "plane", "pareto", "risk", "savings-split"
        )  # too few traces for the others
        self.expect_whole_tables()

    def test_an_opened_trace_comes_into_sight(self):
        self.open()
        for trace in (0, 4):
            self.run_script("window.scrollTo(0, 0)")
            self.open_trace(trace)
            time.sleep(0.2)
            top = self.run_script("return document.getElementById('trace').getBoundingClientRect().top")
            self.assertTrue(-1 <= top < 60, top)

    def test_harm_and_ends_in_words(self):
        self.open("#traces?f=50&t=100000")
        harmed = self.run_script("return selected(explorer.state).filter(({fate}) => fate.harmed).length")
        self.assertGreater(harmed, 0)
        self.assertEqual(self.run_script("return document.querySelectorAll('#trace-list .harm').length"), harmed)
        self.assertEqual(
            self.run_script("return endingOf({finish: 'length', loop: [231, 4]})"), "cut by the cap, loop from 231"
        )

    def test_threshold_has_the_colour_of_its_rule(self):
        self.open()
        self.open_trace(3)
        for rule in (0, 1):
            self.run_script("document.querySelectorAll('#trace .rules input[type=radio]')[arguments[0]].click()", rule)
            line, swatch = self.run_script(
                """return [getComputedStyle(document.querySelector('#trace .threshold')).stroke,
                getComputedStyle(document.querySelectorAll('#trace .swatch')[arguments[0]]).color]""",
                rule,
            )
            self.assertEqual(line, swatch)

    def test_rules_fit_beside_the_text(self):
        for width in (1000, 1200, 1280):
            self.browser.resize(width)
            self.open()
            self.open_trace(3)
            hidden = self.run_script(
                """const box = document.querySelector('#trace .rules').parentNode;
                return box.scrollWidth - box.clientWidth"""
            )
            self.assertEqual(hidden, 0, f"at {width} px")

    def test_text_is_shown_as_text(self):
        self.open()
        held = texts_in(self.page)
        self.assertEqual(len(held), 5)
        for trace, expected in enumerate(held):
            self.open_trace(trace)
            self.assertEqual(self.shown_text(), expected["text"])
            self.assertEqual(
                self.run_script("return document.querySelector('#trace .problem')?.textContent ?? ''"),
                expected["problem"],
            )
        self.assertIn("<script>alert(1)</script>", held[0]["text"])
        self.assertIn(
            "broken \ufffd\ufffd( \ufffd and \ufffd here \ufffd\ufffd\ufffd \ufffd\ufffd end", held[2]["text"]
        )
        self.assertEqual(
            self.run_script("return document.querySelectorAll('#trace script, #trace b, #trace i').length"), 0
        )
        self.expect_clean()

    def test_tokens_are_where_the_text_has_them(self):
        """Every token is a byte here, so that a character is whole at its last byte."""
        self.open()
        self.open_trace(0)
        text = texts_in(self.page)[0]["text"]
        ends, units = [], 0
        for character in text:
            width = len(character.encode())
            ends += [units] * (width - 1)
            units += len(character.encode("utf-16-le")) // 2
            ends.append(units)
        self.assertEqual(self.run_script("return explorer.view.content.ends"), ends)

    def test_copies_are_copies(self):
        self.open()
        for trace in range(5):
            self.open_trace(trace)
            different, count = self.run_script("""const {text, copies} = explorer.view.content;
                const differs = ({start, end, distance}) => distance < 1 ||
                  text.slice(start, end) !== text.slice(start - distance, end - distance);
                return [copies.filter(differs).length,
                  copies.length]""")
            self.assertEqual(different, 0)
            if trace in (0, 3):
                self.assertGreater(count, 0)

    def test_stops_are_those_of_the_program(self):
        self.open()
        self.assertGreater(self.expect_same_stops(), 0)

    def test_greyed_from_the_stop_on(self):
        self.open()
        self.open_trace(3)
        stop = self.run_script("return data.index.traces[3].stops[0][0]")
        self.assertGreater(stop, 0)
        self.shown_text()
        grey, text = self.run_script("""const {pane, content} = explorer.view;
            const greyed = pane.pieces.flatMap((piece) => [...piece.querySelectorAll('.after')]);
            return [greyed.map((each) => each.textContent).join(''), content.text]""")
        self.assertEqual(grey, text[stop:])  # ASCII: a token is a character
        other = self.run_script("return data.index.traces[3].stops[0][3]")
        self.run_script("document.querySelectorAll('#trace .rules input[type=radio]')[3].click()")
        self.assertEqual(self.run_script("return explorer.view.pane.greyFrom"), other)

    def test_switches_of_rules(self):
        self.open()
        self.open_trace(3)
        lines = "return document.querySelectorAll('#trace .chart .stop').length"
        shown = self.run_script(lines)
        self.assertGreater(shown, 1)
        self.run_script("document.querySelector('#trace .rules input[role=switch]').click()")
        self.assertEqual(self.run_script(lines), shown - 1)
        self.run_script("document.querySelector('#trace .rules input[role=switch]').click()")
        self.assertEqual(self.run_script(lines), shown)

    def test_guardian_of_ones_own(self):
        self.open("#traces?f=100&t=15")
        self.assertTrue(self.run_script("return explorer.state.rule === data.index.rules.length"))
        kept = self.run_script("return selected(explorer.state).map(({fate}) => fate.kept)")
        table = settings.lil(
            "analyze",
            "planted.db",
            "--signal",
            "zlib(level=6)",
            "--rule",
            "guardian(f=100,t=15)",
            "--format",
            "csv",
            "--no-save",
        )
        rows = [row for row in _csv_rows(table) if row["rule"] == "guardian(f=100,t=15)"]
        self.assertEqual(sum(kept), sum(int(row["kept"]) for row in rows))
        self.fill_in("t", "100000", "input")
        self.assertEqual(
            self.run_script(
                "return selected(explorer.state).filter(({row, fate}) => row.tokens > 100 && fate.stop !== 100).length"
            ),
            0,
        )
        self.assertIn("t=100000", self.run_script("return location.hash"))

    def test_filters_and_sorting(self):
        self.open()
        rows = "return [...document.querySelectorAll('#trace-list tbody tr')].map((row) => row.cells[0].textContent)"
        self.assertEqual(self.run_script(rows), ["<i>1</i>", "2", "3", "4", "5"])
        self.fill_in("policy", "full")
        self.assertEqual(self.run_script(rows), ["<i>1</i>", "2", "3"])
        self.fill_in("policy", "")
        self.fill_in("outcome", "right")
        self.assertEqual(self.run_script(rows), ["<i>1</i>", "2", "5"])
        self.fill_in("outcome", "")
        self.fill_in("search", "<I>", "input")
        self.assertEqual(self.run_script(rows), ["<i>1</i>"])
        self.fill_in("search", "", "input")
        self.fill_in("stopped", "yes")
        stopped = self.run_script(rows)
        self.fill_in("stopped", "no")
        self.assertEqual(sorted(stopped + self.run_script(rows)), ["2", "3", "4", "5", "<i>1</i>"])
        self.fill_in("stopped", "")
        self.run_script("""const buttons = [...document.querySelectorAll('#trace-list th button')];
            buttons.find((button) => button.textContent === 'Tokens').click()""")
        tokens = self.run_script("return selected(explorer.state).map(({row}) => row.tokens)")
        self.assertEqual(tokens, sorted(tokens))
        self.assertEqual(
            self.run_script("return document.querySelector('#trace-list th[aria-sort]').getAttribute('aria-sort')"),
            "ascending",
        )

    def test_links_and_back(self):
        run = self._run_of("sink(budget=64)")
        self.open(f"#traces?run={run}&set=planted&signal=zlib(level%3D6)&stream=text&f=50&t=10")
        self.assertEqual(
            self.run_script("return [explorer.state.run, explorer.state.rule, explorer.state.measure]"), [run, 0, 0]
        )
        self.assertEqual(self.run_script("return document.querySelectorAll('#trace-list tbody tr').length"), 2)
        self.run_script("document.querySelector('#trace-list a').click()")
        self.assertEqual(
            self.run_script("return [explorer.state.trace, document.getElementById('trace').hidden]"), [3, False]
        )
        self.run_script("history.back()")
        time.sleep(0.2)
        self.assertEqual(
            self.run_script(
                "return [explorer.state.trace, explorer.state.run, document.getElementById('trace').hidden]"
            ),
            [-1, run, True],
        )
        self.run_script("history.forward()")
        time.sleep(0.2)
        self.assertEqual(self.run_script("return explorer.state.trace"), 3)
        self.expect_clean()

    def _run_of(self, policy):
        self.open()
        return self.run_script("return data.index.groups.find((each) => each.policy === arguments[0]).run", policy)

    def test_cursor_is_linked(self):
        self.open()
        self.open_trace(3)
        point = self.run_script("""const box = document.querySelector('#trace .chart').getBoundingClientRect();
            const x = chartLeft + 0.5 * (explorer.view.chart.width - chartLeft - chartRight);
            const place = {clientX: box.left + x, clientY: box.top + 20};
            document.querySelector('#trace .chart').dispatchEvent(new PointerEvent('pointermove', place));
            return Math.round(explorer.view.row.tokens / 2)""")
        token, text_top, pane_top, pane_bottom = self.run_script(
            """const mark = document.querySelector('#trace .cursor').getBoundingClientRect();
            const pane = document.querySelector('#trace .text').getBoundingClientRect();
            return [explorer.view.chart.token, mark.top, pane.top, pane.bottom]"""
        )
        self.assertLess(abs(token - point), explorer_tolerance(self))
        self.assertTrue(pane_top <= text_top <= pane_bottom, "the chart's token is in sight in the text")
        hovered = self.run_script("""const pane = document.querySelector('#trace .text').getBoundingClientRect();
            const [x, y] = [pane.left + 120, pane.top + 100];
            const place = {clientX: x, clientY: y, bubbles: true};
            document.querySelector('#trace .text').dispatchEvent(new MouseEvent('mousemove', place));
            const line = document.querySelector('#trace .chart line.now');
            const mark = document.querySelector('#trace .cursor').getBoundingClientRect();
            return [explorer.view.chart.token, Math.abs(mark.top + mark.height / 2 - y), Math.abs(mark.left - x),
              Number(line.getAttribute('x1')) - explorer.view.chart.x(explorer.view.chart.token)]""")
        self.assertNotEqual(hovered[0], token)
        self.assertLess(hovered[1], 25)
        self.assertLess(hovered[2], 25)
        self.assertEqual(hovered[3], 0)

    def test_keys(self):
        self.open()
        self.open_trace(3)
        key = """const event = new KeyboardEvent('keydown', {key: arguments[0], bubbles: true, cancelable: true});
            document.activeElement.dispatchEvent(event);
            return explorer.view?.chart.token"""
        self.run_script("document.querySelector('#trace .chart').focus()")
        self.assertEqual(
            [self.run_script(key, k) for k in ("Home", "ArrowRight", "PageDown", "ArrowLeft")], [1, 51, 551, 501]
        )
        self.assertEqual(self.run_script(key, "End"), self.run_script("return explorer.view.row.tokens"))
        self.run_script("document.querySelector('#trace .text').focus()")
        self.run_script(key, "ArrowLeft")
        self.assertEqual(self.run_script("return explorer.view.row.tokens - explorer.view.chart.token"), 1)
        self.run_script("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))")
        time.sleep(0.2)
        self.assertTrue(self.run_script("return document.getElementById('trace').hidden"))

    def test_jumps(self):
        self.open()
        self.open_trace(0)
        click = """const buttons = [...document.querySelectorAll('#trace .jumps button')];
            buttons.find((button) => button.textContent === arguments[0]).click();
            return explorer.view.chart.token"""
        events = self.run_script("return explorer.view.content.answers")
        self.assertGreater(len(events), 1)
        self.assertEqual(self.run_script(click, "Start"), 1)
        self.assertEqual(self.run_script(click, "Answer ›"), events[1][0])
        loop = self.run_script("return explorer.view.row.loop")
        self.assertEqual(self.run_script(click, "Loop"), loop[0] + 1)
        self.assertEqual(self.run_script(click, "End"), self.run_script("return explorer.view.row.tokens"))

    def test_widths_dark_and_print(self):
        self.open()
        self.open_trace(0)
        self.expect_no_sideways_scroll()
        colours = "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        light = self.run_script(colours)
        self.browser.media(scheme="dark")
        dark = self.run_script(colours)
        self.assertNotEqual(light, dark)
        self.browser.media("print", "dark")
        self.assertEqual(self.run_script(colours), light)
        self.assertEqual(self.run_script("return getComputedStyle(document.querySelector('nav')).display"), "none")
        self.expect_clean()

    def test_scripts_off(self):
        with browser.Browser(scripts=False) as without:
            without.open(self.page)
            self.assertTrue(without.is_drawn("#runs table"))
            self.assertTrue(without.is_drawn("#traces noscript p"))
            self.assertFalse(without.is_drawn("#explorer"))
            self.assertTrue(without.is_drawn("#lengths figure svg"))
            self.assertTrue(without.is_drawn("#plane figure svg"))
