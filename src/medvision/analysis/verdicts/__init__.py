"""How and why a model fails: questions put to the scores of runs, each answered by a verdict.

An analysis is one module with one function; `analyse` keeps the table of them.
"""
