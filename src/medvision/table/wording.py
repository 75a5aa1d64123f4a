"""Messages about files in the words of those who gave them: options, or keys of a declaration.

Readers know nothing of where their settings come from; they name the option. A declaration refuses
these options, and has a key for each.
"""

import re

KEYS_OF_OPTIONS = (
    (re.compile(r"--spacing-mm Y,X"), "spacing_yx_mm = [Y, X] in the declaration"),
    (re.compile(r"--spacing-mm"), "spacing_yx_mm"),
    (re.compile(r"--spacing-from (sform|qform|pixdim)"), r'spacing_from = "\1"'),
    (re.compile(r"--spacing-from"), "spacing_from"),
)
"""Options that messages about files name, to what says the same in a declaration; in order."""


def in_keys(message: str) -> str:
    """A message with the keys of a declaration for options of the command line.

    Example:
        >>> in_keys("a.png: no pixel size; say it with --spacing-mm Y,X")
        'a.png: no pixel size; say it with spacing_yx_mm = [Y, X] in the declaration'
    """
    for option, key in KEYS_OF_OPTIONS:
        message = option.sub(key, message)
    return message
