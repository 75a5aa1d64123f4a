"""A chart of each analysis, from its verdicts alone: what a chart shows, `--json` says too."""
