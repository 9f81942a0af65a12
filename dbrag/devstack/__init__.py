"""The embedded stack: everything dbrag needs on one machine, started, watched and stopped together."""
