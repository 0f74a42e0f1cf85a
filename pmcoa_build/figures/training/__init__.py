"""Training of the panel detector: figures drawn, YOLO fitted, weights written with their card."""
