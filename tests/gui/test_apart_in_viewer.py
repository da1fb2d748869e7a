"""Where torch does not start in napari, as on Windows when Qt has loaded its libraries first, runs and sliders work all the same.

A program of its own, since torch is loaded in this one.
"""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = r"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise OSError('[WinError 1114] A dynamic link library (DLL) initialization routine failed. Error loading "c10.dll"')

sys.meta_path.insert(0, Blocked())
import napari
from qtpy.QtTest import QTest
from napari_unet_seg.gui.gpu_panel import GpuPanel
from napari_unet_seg.gui.kept_maps import maps_of
from napari_unet_seg.gui.segment_widget import SegmentWidget

def wait(done):
    for _ in range(2400):
        if done():
            return
        QTest.qWait(25)
    raise AssertionError("it takes too long")

viewer = napari.Viewer(show=False)
viewer.open_sample("napari-unet-seg", "crowded")
widget = SegmentWidget(viewer)
viewer.window.add_dock_widget(widget, name="Segment nuclei")
widget.engine.refresh()
wait(lambda: not widget.engine.looking)
assert widget.engine.model == "nuclei", widget.engine.model
notices = []
widget.job.progressed.connect(lambda step: notices.append(step.stage))
widget.segment()
wait(lambda: not widget.job.running)
labels = viewer.layers["DAPI (crowded) nuclei"]
assert "Segmenting" in notices, notices
maps = maps_of(labels)
assert maps is not None and maps.plane(()) is not None
before = labels.data.copy()
settled = []
widget.live.settled.connect(lambda: settled.append(True))
widget.form.rows["min_area"].editor.setValue(150)
wait(lambda: settled)
assert (labels.data != before).any()
panel = GpuPanel(widget)
wait(lambda: not panel.job.running)
assert "WinError 1114" in panel.note.text(), panel.note.text()
assert "torch" not in sys.modules or sys.modules["torch"] is None
print("found", labels.data.max())
viewer.close()
"""


def test_the_widget_segments_and_keeps_maps_without_torch(tmp_path):
    environment = {**os.environ, "NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split("found")[1]) > 140
