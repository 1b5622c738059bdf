"""The script that checks links of the built site finds what is broken, and nothing else."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "docs" / "check_links.py"


def check(site, **pages):
    for name, body in pages.items():
        (site / f"{name}.html").write_text(body)
    return subprocess.run([sys.executable, SCRIPT, site], capture_output=True, text=True)


def test_links_that_lead_somewhere(tmp_path):
    one = '<p id="here"><a href="#here">1</a><a href="two.html#place">2</a>'
    two = '<p id="place"><a href="https://example.org/nowhere.html">3</a>'
    assert check(tmp_path, one=one, two=two).returncode == 0


def test_links_that_do_not(tmp_path):
    one = '<a href="two.html#place">1</a><img src="none.png"><a href="three.html">3</a>'
    run = check(tmp_path, one=one, two="<p>")
    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        "one.html: none.png",
        "one.html: three.html",
        "one.html: two.html#place, no such place on the page",
    ]
