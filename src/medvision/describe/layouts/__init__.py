"""One module a layout: a function that takes a tree of names and says what it holds, or None."""
