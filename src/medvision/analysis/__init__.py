"""Scored runs to a report: tables, plots, and a case viewer in one HTML file."""

from medvision.analysis.drawing import overlay_png, overlay_svg
from medvision.analysis.pictures import Picture, png_bytes
from medvision.analysis.report import ReportOptions, report_json, write_report
from medvision.analysis.run_scores import RunScores

__all__ = [
    "Picture",
    "ReportOptions",
    "RunScores",
    "overlay_png",
    "overlay_svg",
    "png_bytes",
    "report_json",
    "write_report",
]
