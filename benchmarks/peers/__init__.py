"""The alternatives to Aerodrome, each written as its own users would."""
