"""What an operator would use in Aerodrome's place, each written as its own users would."""
