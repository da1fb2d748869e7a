"""The widgets of napari: thin, since all that computes lies in `core`."""
