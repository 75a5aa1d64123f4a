"""What can go wrong with one item, as classes with a reason a summary can count.

Library code raises; only a command's loop over items catches `ItemError`, notes the item and its
reason, and goes on with the next one.
"""

from typing import ClassVar


class MedVisionError(Exception):
    """Any error of ours: its text says what was expected, what was found, and what to do."""


class UsageError(MedVisionError):
    """The request itself is wrong (options, configuration): nothing was started."""


class ItemError(MedVisionError):
    """One item (case, sample, file) cannot be used; the others can.

    Subclasses set `reason`, a short snake_case word under which summaries count the item.
    """

    reason: ClassVar[str] = "failed"


class MissingExtraError(ItemError, UsageError):
    """An optional library is not installed.

    One file of a format that needs it cannot be used; where a model or a command as a whole needs
    it, nothing was started.
    """

    reason = "missing_extra"
