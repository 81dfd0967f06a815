"""Hooks of MkDocs: tables from the code, notebooks, pages and pictures from outside docs/, MathJax.

A comment `<!-- generated: NAME -->` in a page becomes the table of that name.
"""

from __future__ import annotations

import importlib.resources
import os
import re
from pathlib import Path
from typing import Any

import notebooks
from reference_tables import TABLES

ROOT = Path(__file__).resolve().parents[1]

#: Pages of the site that lie elsewhere in the repository.
BORROWED = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

MARK = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.M)
#: A link to a notebook, which is a page of the site.
NOTEBOOK = re.compile(r"\]\(((?:\.\./)*notebooks/\w+)\.ipynb\)")
#: A link or picture whose target lies above the page.
UPWARD = re.compile(r"(!?)\[([^\]]*)\]\((\.\./[^)#\s]+)[^)]*\)")


def filled(markdown: str) -> str:
    """A page with every mark replaced by its table. Raises KeyError for an unknown one."""
    return MARK.sub(lambda found: TABLES[found[1]](), markdown)


def indented(markdown: str) -> str:
    """Indent continuations of list items by four spaces, which Python-Markdown requires.

    The pages indent them by the width of the bullet, as code hosts expect.
    """
    parts = re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.M | re.S)
    for i in range(0, len(parts), 2):
        text = re.sub(r"^ {2,3}(?=\S)", "    ", parts[i], flags=re.M)
        parts[i] = re.sub(r"\n\n((?: {4}.*\n)+)(?=[-*] )", r"\n\n\1\n", text)
    return "".join(parts)


def outside(page: str, target: str) -> str | None:
    """Path in the repository of a link's target, if it is outside docs/."""
    path = os.path.normpath(Path("docs", page).parent / target)
    return None if path.startswith("docs" + os.sep) else path


def on_files(files: Any, config: Any) -> Any:
    """Add MathJax, and the pages and pictures that lie outside docs/."""
    from mkdocs.structure.files import File

    for page, source in BORROWED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text.replace("](docs/", "](")))
    for name in notebooks.names():
        page = f"notebooks/{name}.md"
        files.append(File.generated(config, page, content=notebooks.markdown(name)))
    pictures = {
        outside(file.src_uri, found[3])
        for file in files.documentation_pages()
        for found in UPWARD.finditer(file.content_string)
        if found[1]
    }
    for path in sorted(filter(None, pictures)):
        files.append(File.generated(config, f"outside/{path}", abs_src_path=str(ROOT / path)))
    for name, path in mathjax().items():
        files.append(File.generated(config, f"assets/mathjax/{name}", abs_src_path=str(path)))
    return files


def mathjax() -> dict[str, Path]:
    """MathJax in one file, with its licence: the package brings them for web servers."""
    home = Path(str(importlib.resources.files("mathjax"))) / "static" / "mathjax"
    return {"tex-svg.js": home / "es5" / "tex-svg.js", "LICENSE": home / "LICENSE"}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in tables; a link to a file outside the site becomes its path in the repository."""
    here = page.file.src_uri

    def inside(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        path = outside(here, target)
        if path is None:
            return found[0]
        if picture:
            return f"![{text}]({'../' * here.count('/')}outside/{path})"
        return f"`{path}`" if path.startswith(text) else f"{text} (`{path}`)"

    return UPWARD.sub(inside, NOTEBOOK.sub(r"](\1.md)", indented(filled(markdown))))
