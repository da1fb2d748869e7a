"""``python -m napari_unet_seg.cli``: the command line where its script is not on the path."""

from napari_unet_seg.cli import main

main()
