"""The worker process: what opens after fork and closes at exit, and beat's schedule."""
