"""Runs from other tools: result files of the original benchmark as runs like our own."""

from medvision.exchange.import_results import ImportedResults, import_results

__all__ = ["ImportedResults", "import_results"]
