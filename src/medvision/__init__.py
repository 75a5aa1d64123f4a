"""Quantitative medical image analysis with vision-language models.

Not for clinical use.
"""

__version__ = "0.1.0"
