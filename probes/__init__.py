"""Python programs that run on nodes, with the nodes' own Python (3.6 or later) and only its standard library.

`aerodrome/program.py` sends the text of a module, along with the modules here that it imports, and calls its `main`.
Annotations other than plain names are quoted, because Python 3.6 would evaluate them.
"""
