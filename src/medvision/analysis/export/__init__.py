"""The report out of its page: figures and tables as files for papers and other tools."""
