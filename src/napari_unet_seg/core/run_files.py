"""What the files in the folder of a training are called; apart from what writes them, since torch is not needed to look for one."""

STATE = "state.safetensors"
"""All that going on needs: weights, optimiser, history."""
