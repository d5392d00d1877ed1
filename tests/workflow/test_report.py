"""The report in a real browser: its first page can be read, its links work, and a title is only text."""

import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from support.studies import EXTREMES
from support.workflow import snakemake

from nstar.errors import ArtifactError
from nstar.jobs.derived_files import check_derived
from nstar.jobs.reporting import seal_report
from nstar.reading.check import load_study
from nstar.reading.file import read_config

WINDOWS = [(1400, 1000), (1920, 1080), (390, 844)]
"""Width and height in pixels: a laptop, a monitor, a telephone."""

TITLE = EXTREMES["title"]


@pytest.fixture(scope="module")
def report(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(finished, folder, symlinks=True)  # Snakemake locks the folder
    made = snakemake(folder, "--report", "report.html")
    assert made.returncode == 0, made.stderr
    return folder / "report.html"


class Elements(HTMLParser):
    """How many elements of each kind a page has, and which attributes any of them has."""

    def __init__(self, text):
        super().__init__()
        self.counts, self.attributes = Counter(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.counts[tag] += 1
        self.attributes |= {name for name, _ in attributes}


def test_the_report_is_one_file_with_figures_and_pages(report):
    text = report.read_text(encoding="utf-8")
    for words in ("demand", "exponents", "extrapolation", "findings", "methods"):
        assert f'"{words}"' in text


def test_a_report_is_sealed_and_refused_after_a_change(report, tmp_path):
    run = shutil.copytree(report.parent, tmp_path / "run", symlinks=True)
    study, results = load_study(read_config(run / "config.yaml")), run / "results"
    folder = seal_report(study, results, run / "report.html")
    assert "url=studies/tiny/report.html" in (results / "report.html").read_text()
    assert [problem.text for _, problem in check_derived(results) if problem] == []

    text = (folder / "report.html").read_text()
    seal = re.search(r"nstar-seal.{1,20}tiny ([0-9a-f]{12})", text)[1]
    (run / "other.html").write_text(text.replace(seal, "0123456789ab"))
    with pytest.raises(ArtifactError, match="or was made before its configuration"):
        seal_report(study, results, run / "other.html")
    (folder / "findings.html").write_text("edited")
    shutil.copy(folder / "report.html", run / "again.html")
    with pytest.raises(ArtifactError, match="write_findings has to be run"):
        seal_report(study, results, run / "again.html")


def test_a_title_adds_no_element_to_the_report(report):
    template = files("snakemake.report.html_reporter.template") / "index.html.jinja2"
    elements = Elements(report.read_text(encoding="utf-8"))
    bare = Elements(template.read_text(encoding="utf-8"))
    for tag in ("script", "img", "iframe", "a", "body"):
        assert elements.counts[tag] == bare.counts[tag], tag
    assert "onerror" not in elements.attributes


@pytest.mark.parametrize("page", ["findings", "methods"])
def test_a_title_adds_no_element_to_a_page(finished, page):
    text = (finished / f"results/studies/tiny/{page}.html").read_text(encoding="utf-8")
    elements = Elements(text)
    assert not {"script", "img", "iframe"} & elements.counts.keys()
    assert "onerror" not in elements.attributes


@pytest.fixture(params=WINDOWS, ids=str)
def first_page(report, browser, request):
    """The report as it opens in a window; a test fails if it runs a script that is not its own."""
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(report.as_uri())
    page.locator("h1.title").wait_for()
    yield page
    page.close()
    assert alerts == []


def test_the_first_page_can_be_read_from_its_title_on(first_page):
    title = first_page.locator("h1.title")
    assert title.inner_text() == TITLE
    place = title.bounding_box()
    assert place["y"] >= 0
    assert 0 <= place["x"] and place["x"] + place["width"] <= first_page.viewport_size["width"]
    assert first_page.locator("img").count() == 1  # Snakemake's mark


@pytest.mark.parametrize(
    ("link", "heading"), [("read the methods", "Methods"), ("Read the findings", "Findings")]
)
def test_a_link_of_the_first_page_opens_its_page(first_page, link, heading):
    first_page.get_by_role("link", name=link, exact=True).click()
    inside = first_page.frame_locator("iframe").get_by_role("heading", level=1).first
    inside.wait_for(state="visible")
    assert inside.inner_text() == f"{heading}: {TITLE}"
    assert inside.bounding_box()["y"] >= 0


def test_a_page_that_is_taller_than_the_window_starts_at_its_top(report, browser):
    page = browser.new_page(viewport={"width": 390, "height": 300})
    page.goto(report.as_uri())
    title = page.locator("h1.title")
    title.evaluate("title => title.textContent = 'W'.repeat(200)")
    place = title.bounding_box()
    page.close()
    assert place["height"] > 300
    assert place["y"] >= 0
