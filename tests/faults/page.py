"""`docs/reliability.md`: a section for each kind of trial, written by what tries it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def write_section(title: str, text: str) -> None:
    """Put a section in place of the one of that title, or at the end."""
    page = PAGE.read_text(encoding="utf-8")
    section = f"## {title}\n\n{text.strip()}\n"
    old = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if old.search(page):
        page = old.sub(lambda _: f"{section}\n", page)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    PAGE.write_text(f"{page.rstrip()}\n", encoding="utf-8")


def section_rows(title: str) -> list[str]:
    """Lines of the table in a section, without its head; none if there is no such section."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"## {title}\n")
    lines = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return lines[2:]
