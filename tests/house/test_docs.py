"""What the documentation shows: its Python compiles and its relative links lead somewhere."""

import ast
import re
import textwrap

import pytest

from tests.house.sources import ROOT, project_files

PAGES = [path for path in project_files() if path.suffix == ".md"]
BLOCK = re.compile(
    r"^(?P<indent> *)```(?:python|py)\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def python_blocks():
    for page in PAGES:
        text = (ROOT / page).read_text()
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            yield pytest.param(textwrap.dedent(block["code"]), id=f"{page}:{line}")


@pytest.mark.parametrize("code", list(python_blocks()))
def test_python_in_the_documentation_compiles(code):
    compile(code, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    targets = [link["target"].split("#")[0] for link in LINK.finditer((ROOT / page).read_text())]
    local = [target for target in targets if target and "://" not in target]
    missing = [target for target in local if not ((ROOT / page).parent / target).exists()]
    assert not missing
