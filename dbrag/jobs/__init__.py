"""Jobs: accepted, claimed, counted, ended; published by the relay."""
