"""The story, one file a stage."""
