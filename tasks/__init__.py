"""What the operator types: order, messages, confirmation. No shell text."""

import sys

# Invoke keeps Python from writing bytecode, so that a tasks.py leaves nothing beside it. Here all of Aerodrome would be
# compiled anew in every run, which is a tenth of a run with nothing to do. So: as the interpreter was told.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
