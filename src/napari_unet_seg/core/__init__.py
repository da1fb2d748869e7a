"""The engine: arrays in, labels out; it knows neither napari nor Qt."""
