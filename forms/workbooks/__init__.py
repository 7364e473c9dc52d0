"""Workbooks from strangers: read within limits, made into XForms, our sheets checked with all faults gathered."""
