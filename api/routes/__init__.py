"""One blueprint a resource; each view calls one function of dbrag."""
