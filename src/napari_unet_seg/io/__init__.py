"""Files in and out: images of the microscopy formats, and labels as other programs want them. Nothing here needs torch."""
