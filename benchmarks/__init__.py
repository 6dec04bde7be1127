"""How long Aerodrome takes, against what it cannot beat and against an operator's own hands. Not a test."""
