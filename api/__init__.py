"""The HTTP door: parse, authorise, call one function of dbrag, render."""
