"""The command line: client commands over HTTP and the operator's tools."""
