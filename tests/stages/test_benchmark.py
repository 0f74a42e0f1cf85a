"""`benchmark` as a user meets it: tiny sets in the public formats, killed and gone on with, and what goes wrong."""
