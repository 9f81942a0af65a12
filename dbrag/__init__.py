"""dbrag: documents become searchable vectors. This package is the platform; api, tasks and workers are its doors."""
