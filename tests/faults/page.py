"""`docs/reliability.md`: a table for each kind of trial; what is tried has a row of its own."""

import fcntl
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


@dataclass(frozen=True, slots=True)
class Table:
    """A section of the page that ends in a table.

    Attributes:
        title: Of the section.
        about: What stands above the rows, the table's head included.
        n_keys: So many of the first cells say which row it is.
        page: Where it stands.
    """

    title: str
    about: str
    n_keys: int
    page: Path = PAGE

    def rows(self) -> dict[tuple[str, ...], str]:
        """Rows by their first cells; none if there is no such section."""
        return self._rows_in(self.page.read_text(encoding="utf-8"))

    def put(self, row: str) -> None:
        """Put a row in place of the one of the same first cells, or at the end; others stay."""
        with self.page.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # training and fuzzing may end at one time
            page = file.read()
            rows = self._rows_in(page) | {self._key(row): row}
            section = f"## {self.title}\n\n{self.about.strip()}\n" + "\n".join(rows.values()) + "\n"
            file.seek(0)
            file.truncate()
            file.write(self._with_section(page, section))

    def _with_section(self, page: str, section: str) -> str:
        old = re.compile(rf"^## {re.escape(self.title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
        if not old.search(page):
            return f"{page.rstrip()}\n\n{section}"
        return old.sub(lambda _: f"{section}\n", page).rstrip() + "\n"

    def _rows_in(self, page: str) -> dict[tuple[str, ...], str]:
        _, _, after = page.partition(f"## {self.title}\n")
        lines = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("|")]
        return {self._key(line): line for line in lines[2:]}

    def _key(self, row: str) -> tuple[str, ...]:
        return tuple(cell.strip() for cell in row.split("|")[1 : 1 + self.n_keys])
