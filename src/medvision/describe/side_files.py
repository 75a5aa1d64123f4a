"""Files that say something of the others: read as text, table or JSON, or an error that names them.

A file that is damaged, in another encoding or of another form says nothing. What it had said,
such as whose scan it is or which pictures there are, must not go missing without a word.
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import Any

from medvision.declarations import DeclarationError
from medvision.describe.tree import Tree
from medvision.table.subjects import read_table


def side_text(path: Path) -> str:
    """The text of a file.

    Raises:
        DeclarationError: It cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets and editors write the mark
    except UnicodeDecodeError as error:
        msg = (
            f"{path}: expected text in UTF-8, found byte 0x{error.object[error.start]:02x} at "
            f"{error.start}; save it as UTF-8"
        )
        raise DeclarationError(msg) from error
    except OSError as error:
        msg = f"{path}: expected a text file, found: {error.strerror or error}; check access"
        raise DeclarationError(msg) from error


def side_table(path: Path, *needed: str) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file, by the names of its columns.

    Args:
        path: The file.
        needed: Columns that it must have.

    Raises:
        DeclarationError: It cannot be read, or has not these columns, or rows of another length.
    """
    header, rows = read_table(path)
    lacking = [name for name in needed if name not in header]
    if lacking:
        found = ", ".join(header)
        msg = f"{path}: expected the columns {', '.join(needed)}, found {found}; add {lacking[0]}"
        raise DeclarationError(msg)
    return rows


def json_files(
    tree: Tree, is_kind: Callable[[object], bool], keys: Collection[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The JSON files of one kind, and those that should be of it and are damaged.

    Args:
        tree: Where.
        is_kind: Whether parsed JSON is of the kind.
        keys: Its keys at the top: a file with two of them was meant as one, and so was one that
            cannot be read and names two, or lies in a folder with a whole one.

    Returns:
        File to content, and file to what is wrong.
    """
    whole: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for file in tree.files:
        if not file.endswith(".json"):
            continue
        path = tree.path(file)
        try:
            content = json.loads(side_text(path))
        except DeclarationError as error:
            unclear[file] = str(error)
        except (ValueError, RecursionError) as error:
            unclear[file] = (
                f"{path}: expected JSON, found a text that breaks off or is none ({error}); get it "
                "again"
            )
        else:
            if is_kind(content):
                whole[file] = content
            elif isinstance(content, dict) and (n_keys := len(content.keys() & set(keys))):
                # One key alone is a word that other programs may use, too.
                told = wrong if n_keys > 1 else unclear
                told[file] = f"{path}: expected {' and '.join(keys)} at its top, found others"
    homes = {PurePosixPath(file).parent for file in whole}
    wrong |= {
        file: why
        for file, why in unclear.items()
        if PurePosixPath(file).parent in homes or _names_two(tree.path(file), keys)
    }
    return whole, wrong


def _names_two(path: Path, keys: Collection[str]) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return sum(f'"{key}"'.encode() in text for key in keys) > 1
