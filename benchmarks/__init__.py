"""How long Aerodrome takes, compared with the floor and with an operator's own script. Not a test."""
