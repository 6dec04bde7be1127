"""Python programs that run on nodes, in the Python that the nodes have: 3.6 and later, the standard library only.

`aerodrome/program.py` sends the text of a module and of the modules here that it imports, and has its `main` called.
Annotations beyond a plain name are quoted, because Python 3.6 would evaluate them.
"""
