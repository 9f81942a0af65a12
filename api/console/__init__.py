"""The console at /console: pages for people who send files, wait for jobs and try searches."""
